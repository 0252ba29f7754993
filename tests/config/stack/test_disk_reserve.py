"""Room for a start on a full disk; test_disk_space.py has it with a disk that is full."""

from pathlib import Path

import pytest

from config.stack import disk_reserve, disk_space
from config.stack.disk_reserve import NAME, give_up, keep


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_reserve, "BYTES", 4_096)
    monkeypatch.setattr(disk_reserve, "_KEPT_FROM", 40_960)


@pytest.mark.usefixtures("small")
def test_it_holds_its_room_for_its_owner_alone(tmp_path: Path) -> None:
    keep(tmp_path)
    found = (tmp_path / NAME).stat()
    assert (found.st_size, found.st_mode & 0o777) == (4_096, 0o600)
    assert found.st_blocks * 512 >= 4_096


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_whatever_has_its_name_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / NAME
    if kind == "file":
        path.write_text("mine")
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    if kind == "folder":
        path.mkdir()
    keep(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    assert path.is_dir() or path.is_symlink() or path.read_text() == "mine"


def test_without_room_to_spare_no_reserve_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_reserve, "_KEPT_FROM", (disk_space.free(tmp_path) or 0) * 2)
    keep(tmp_path)
    assert not (tmp_path / NAME).exists()


@pytest.mark.usefixtures("small")
def test_it_is_not_given_up_while_there_is_room(tmp_path: Path) -> None:
    keep(tmp_path)
    if disk_space.is_short(tmp_path):
        pytest.skip("this disk is full")
    assert not give_up(tmp_path)
    assert (tmp_path / NAME).exists()
