"""Files of a backup are regular files, and nobody's link is followed."""

import os
from pathlib import Path

import pytest

from config.backups import files
from config.backups.errors import BackupError, printable


def spoiled(path: Path, kind: str) -> Path:
    if kind == "a link":
        path.with_name("target").write_text("x")
        path.symlink_to(path.with_name("target"))
    if kind == "a pipe":
        os.mkfifo(path)
    if kind == "a folder":
        path.mkdir()
    if kind == "a device":
        return Path("/dev/zero")
    return path


@pytest.mark.parametrize("kind", ["missing", "a link", "a pipe", "a folder", "a device"])
def test_a_file_that_is_not_regular_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = spoiled(tmp_path / "a.dump", kind)
    with pytest.raises(BackupError) as refused:
        files.opened(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"abc", b"x" * 1_000_000])
def test_a_file_is_read_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with files.opened(tmp_path / "a") as file:
        assert file.readall() == content


def test_a_new_file_is_private_and_takes_nothings_place(tmp_path: Path) -> None:
    with files.created(tmp_path / "a") as file:
        file.write(b"abc")
        file.seek(0)
        assert file.readall() == b"abc"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            files.created(tmp_path / name)
    assert not (tmp_path / "elsewhere").exists()


def test_a_stamp_detects_a_file_that_was_written_or_replaced(tmp_path: Path) -> None:
    def stamp() -> files.Stamp:
        with files.opened(tmp_path / "a") as file:
            return files.stamp(file)

    (tmp_path / "a").write_bytes(b"abc")
    first = stamp()
    assert stamp() == first
    os.utime(tmp_path / "a", ns=(0, 1))
    assert stamp() != first
    (tmp_path / "b").write_bytes(b"abc")
    os.utime(tmp_path / "b", ns=(0, first.written_ns))
    (tmp_path / "b").rename(tmp_path / "a")
    assert stamp() != first


def test_the_file_that_an_operator_named_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("a")
    assert files.resolved(tmp_path / "link") == (tmp_path / "a").resolve()
    (tmp_path / "circle").symlink_to("circle")
    for name in ("missing", "circle", "x" * 5_000, "a\x00b"):
        with pytest.raises(BackupError):
            files.resolved(tmp_path / name)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("", ""),
        ("  one\ttwo \n three ", "one two three"),
        ("\x1b[2Jred\u202e", "[2Jred"),
        ("ä" * 1_000, "ä" * 400),
    ],
)
def test_a_message_of_a_program_is_one_short_line(said: str, shown: str) -> None:
    assert printable(said) == shown
