"""What is set aside keeps its name and lies beside its place; links lead nowhere."""

import os
from pathlib import Path

import pytest

from config.stack import damaged_files as module
from config.stack.damaged_files import KEPT, remove, set_aside


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def test_a_folder_is_renamed_with_all_it_holds(home: Path) -> None:
    (home / "valkey").mkdir(mode=0o755)
    (home / "valkey" / "file").write_text("kept")
    kept = set_aside(home / "valkey", None)
    assert names(home) == [kept.name]
    assert kept.name.startswith("valkey.damaged-")
    assert (kept / "file").read_text() == "kept"
    assert kept.stat().st_mode & 0o777 == 0o700


def test_a_file_becomes_private_too(home: Path) -> None:
    (home / "valkey").write_text("x")
    kept = set_aside(home / "valkey", None)
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_link_is_set_aside_itself(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (home / "valkey").symlink_to(elsewhere)
    kept = set_aside(home / "valkey", None)
    assert kept.is_symlink()
    assert elsewhere.stat().st_mode & 0o777 == 0o755


def test_several_of_one_second_have_names_of_their_own_and_the_newest_are_kept(home: Path) -> None:
    kept = []
    for n in range(KEPT + 2):
        (home / "valkey").mkdir()
        (home / "valkey" / str(n)).touch()
        kept.append(set_aside(home / "valkey", None))
        assert len(names(home)) == min(n + 1, KEPT)
    assert len({path.name for path in kept}) >= KEPT
    assert kept[-1].exists()


def test_what_begins_otherwise_is_left_alone(home: Path) -> None:
    for name in ("valkey.new", "postgres.damaged-1", "valkey-other"):
        (home / name).mkdir()
    for _ in range(KEPT + 1):
        (home / "valkey").mkdir()
        set_aside(home / "valkey", None)
    assert {"valkey.new", "postgres.damaged-1", "valkey-other"} <= set(names(home))


def test_a_missing_folder_cannot_be_set_aside(home: Path) -> None:
    with pytest.raises(OSError):
        set_aside(home / "missing", None)


def test_removing_takes_a_folder_with_all_it_holds_even_where_it_is_closed(home: Path) -> None:
    deep = home / "gone" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").touch()
    for folder in (deep, deep.parent, home / "gone"):
        folder.chmod(0)
    remove(home / "gone", None)
    assert names(home) == []


def test_removing_a_link_takes_nothing_that_it_leads_to(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("kept")
    (home / "gone").symlink_to(elsewhere)
    (home / "folder").mkdir()
    (home / "folder" / "link").symlink_to(elsewhere)
    remove(home / "gone", None)
    remove(home / "folder", None)
    assert names(home) == []
    assert (elsewhere / "file").read_text() == "kept"


@pytest.mark.parametrize("kind", ["file", "pipe", "missing"])
def test_removing_takes_whatever_has_the_name(home: Path, kind: str) -> None:
    if kind == "file":
        (home / "gone").touch()
    if kind == "pipe":
        os.mkfifo(home / "gone")
    remove(home / "gone", None)
    assert names(home) == []


def test_a_free_name_is_numbered_from_two(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {"v.damaged-x"}

    class Clock:
        def now(self, _: object) -> "Clock":
            return self

        def __format__(self, _: str) -> str:
            return "x"

    monkeypatch.setattr(module, "datetime", Clock())
    for number in (2, 3):
        (home / sorted(taken)[-1]).touch()
        descriptor = os.open(home, os.O_RDONLY)
        name = module._free_name("v", descriptor)
        os.close(descriptor)
        assert name == f"v.damaged-x-{number}"
        taken.add(name)
