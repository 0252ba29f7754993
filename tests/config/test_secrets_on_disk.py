"""The secrets an installation keeps: made once, private, and read from nothing that could hang or fill the start."""

import errno
import os
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.secrets_on_disk import data_folder, kept_secret


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret_key"
    made = kept_secret(path, lambda: "vp_made")
    assert made == "vp_made"
    assert kept_secret(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secret_key"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(kept_secret(tmp_path / "key"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8


def test_a_secret_may_be_mounted_as_a_link(tmp_path: Path) -> None:
    (tmp_path / "mounted").write_text("from elsewhere\n")
    (tmp_path / "secret_key").symlink_to(tmp_path / "mounted")
    assert kept_secret(tmp_path / "secret_key") == "from elsewhere"


@pytest.mark.parametrize("kind", ["pipe", "endless", "folder", "long", "bytes"])
def test_what_is_not_a_short_file_stops_the_start_with_a_sentence(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    make: dict[str, Callable[[], object]] = {
        "pipe": lambda: os.mkfifo(path),
        "endless": lambda: path.symlink_to("/dev/zero"),
        "folder": path.mkdir,
        "long": lambda: path.write_text("x" * 5_000),
        "bytes": lambda: path.write_bytes(b"\xff"),
    }
    make[kind]()
    with pytest.raises(ImproperlyConfigured, match="secret_key cannot be read: "):
        kept_secret(path)


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_data_folder_that_is_a_file_or_below_one_is_named(below: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(
        ImproperlyConfigured, match=r"DATA_DIR is .*file.*, and .*/file is not a folder: set DATA_DIR"
    ):
        data_folder(file / below)


def test_a_data_folder_that_is_still_to_be_made_is_taken(tmp_path: Path) -> None:
    assert data_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    (tmp_path / "link").symlink_to(tmp_path)
    assert data_folder(tmp_path / "link") == tmp_path


def test_a_folder_that_takes_no_file_is_named_with_who_must_write_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(
        ImproperlyConfigured, match=r"cannot be made: Permission denied\. Set DATA_DIR to a folder that"
    ):
        kept_secret(tmp_path / "secret_key")
