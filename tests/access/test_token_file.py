"""The file in which an installation keeps its token is replaced whole or not at all."""

import os
from pathlib import Path

import pytest

from access.token_file import replace_private


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("before", [None, "old\n", "x" * 100_000])
def test_the_file_holds_the_line_and_is_private(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "auth_token"
    if before is not None:
        path.write_text(before)
        path.chmod(0o644)
    replace_private(path, "new")
    assert path.read_text() == "new\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["auth_token"]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    path = tmp_path / "auth_token"
    path.symlink_to(tmp_path / "elsewhere")
    replace_private(path, "new")
    assert not path.is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "untouched"


def test_what_lies_in_the_way_of_the_new_file_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / f"auth_token.{os.getpid()}").symlink_to(tmp_path / "elsewhere")
    replace_private(tmp_path / "auth_token", "new")
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    assert names(tmp_path) == ["auth_token", "elsewhere"]


def test_where_it_cannot_be_replaced_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "auth_token").mkdir()
    with pytest.raises(OSError):
        replace_private(tmp_path / "auth_token", "new")
    assert names(tmp_path) == ["auth_token"]


def test_a_folder_that_is_missing_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        replace_private(tmp_path / "missing" / "auth_token", "new")
