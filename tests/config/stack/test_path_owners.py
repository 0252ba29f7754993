"""Who could put another folder in the place of one."""

import os
from pathlib import Path

import pytest

from config.stack import path_owners

NOT_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
STRANGER = 4_711


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    return made


def test_the_folder_that_was_opened_is_the_one_that_was_named(folder: Path) -> None:
    with path_owners.opened(folder) as way:
        assert os.path.samestat(os.fstat(way.folder), folder.stat())
    with pytest.raises(OSError):
        os.fstat(way.folder)  # it is closed


def test_links_dots_and_relative_names_lead_to_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a").mkdir()
    (folder / "absolute").symlink_to(folder / "a")
    (folder / "relative").symlink_to("./a/../a")
    monkeypatch.chdir(folder)
    for name in (folder / "absolute", folder / "relative", Path("a"), Path("a/../absolute")):
        with path_owners.opened(name) as way:
            assert os.path.samestat(os.fstat(way.folder), (folder / "a").stat())


@pytest.mark.parametrize("kind", ["missing", "file", "circle", "broken"])
def test_a_path_that_is_not_a_folder_is_an_error_and_leaves_nothing_open(folder: Path, kind: str) -> None:
    target = folder / "x"
    if kind == "file":
        target.touch()
    if kind == "circle":
        target.symlink_to(target)
    if kind == "broken":
        target.symlink_to(folder / "missing")
    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(OSError), path_owners.opened(target):
        pass
    assert len(list(Path("/dev/fd").iterdir())) == before


@NOT_ROOT
def test_what_only_root_can_exchange_is_roots_whoever_owns_it(folder: Path) -> None:
    os.chown(folder, STRANGER, STRANGER)
    with path_owners.opened(folder) as way:
        assert (way.is_roots, way.stranger, way.has_strangers_link) == (True, None, False)
    (folder / "below").mkdir()
    with path_owners.opened(folder / "below") as way:
        assert (way.is_roots, way.stranger) == (False, STRANGER)


@NOT_ROOT
@pytest.mark.parametrize(
    ("mode", "group", "is_roots"),
    [(0o755, 0, True), (0o775, 0, True), (0o775, STRANGER, False), (0o777, 0, False), (0o1777, 0, True)],
)
def test_a_folder_that_others_may_write_in_lets_them_exchange_what_is_in_it(
    folder: Path, mode: int, group: int, is_roots: bool
) -> None:
    (folder / "below").mkdir()
    os.chown(folder, 0, group)
    folder.chmod(mode)
    with path_owners.opened(folder / "below") as way:
        assert way.is_roots is is_roots
    assert path_owners.is_open(folder.stat()) is (mode & 0o002 != 0 or (mode & 0o020 != 0 and group != 0))


@NOT_ROOT
def test_in_a_sticky_folder_only_roots_own_are_safe(folder: Path) -> None:
    (folder / "below").mkdir()
    os.chown(folder / "below", STRANGER, STRANGER)
    folder.chmod(0o1777)
    with path_owners.opened(folder / "below") as way:
        assert (way.is_roots, way.stranger) == (False, None)


@NOT_ROOT
def test_a_link_of_somebody_else_is_noticed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    os.chown(folder, STRANGER, STRANGER)
    (folder / "link").symlink_to(tmp_path / "target")
    (tmp_path / "of_root").symlink_to(tmp_path / "target")
    with path_owners.opened(folder / "link") as way:
        assert way.has_strangers_link
    with path_owners.opened(tmp_path / "of_root") as way:
        assert not way.has_strangers_link


def test_the_nearest_folder_above_is_there(folder: Path) -> None:
    assert path_owners.existing(folder) == folder
    assert path_owners.existing(folder / "a" / "b") == folder
    (folder / "broken").symlink_to(folder / "missing")
    assert path_owners.existing(folder / "broken") == folder / "broken"
    assert path_owners.existing(Path("/no/such/folder")) == Path("/")
