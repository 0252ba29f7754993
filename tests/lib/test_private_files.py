"""Exports are their owner's alone, and whole whenever they are there."""

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from lib.private_files import replacing
from tests.queueops.factories import make_article, make_space


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_only_the_owner_may_read_it_even_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("before")
    path.chmod(0o644)
    with replacing(path) as file:
        file.write(b"after")
        (unfinished,) = [found for found in tmp_path.iterdir() if found != path]
        assert stat.S_IMODE(unfinished.stat().st_mode) == 0o600
        assert path.read_text() == "before"
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("after", 0o600)
    assert names(tmp_path) == ["out"]


def test_what_fails_half_way_leaves_nothing_and_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        _ = 1 / 0
    assert (path.read_text(), names(tmp_path)) == ("before", ["out"])


@pytest.mark.parametrize("before", ["before", None])
def test_a_link_is_followed_and_its_target_replaced(tmp_path: Path, before: str | None) -> None:
    target, folder = tmp_path / "there" / "target", tmp_path / "here"
    target.parent.mkdir()
    folder.mkdir()
    if before:
        target.write_text(before)
    (folder / "first").symlink_to("second")
    (folder / "second").symlink_to("../there/target")
    with replacing(folder / "first") as file:
        file.write(b"after")
        (unfinished,) = [found for found in target.parent.iterdir() if found != target]
        assert stat.S_IMODE(unfinished.stat().st_mode) == 0o600
    assert (target.read_text(), names(target.parent)) == ("after", ["target"])
    assert all((folder / name).is_symlink() for name in ("first", "second"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
def test_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("before")
    (tmp_path / "out").symlink_to(tmp_path / "target")
    os.lchown(tmp_path / "out", 12_345, 12_345)
    with pytest.raises(OSError, match="it is a link of another user"), replacing(tmp_path / "out"):
        pass
    assert (tmp_path / "target").read_text() == "before"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("out")
    with pytest.raises(OSError, match=r"[Tt]oo many levels"), replacing(tmp_path / "out"):
        pass


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_pipe_is_written_to_and_stays(tmp_path: Path, is_linked: bool) -> None:
    pipe = path = tmp_path / "pipe"
    os.mkfifo(pipe)
    if is_linked:
        path = tmp_path / "link"
        path.symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(path) as file:
        file.write(b"after")
    assert os.read(reader, 100) == b"after"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    terminal, device = os.openpty()
    path = Path(os.ttyname(device))
    with replacing(path) as file:
        file.write(b"after")
    assert os.read(terminal, 100) == b"after"
    assert stat.S_ISCHR(path.lstat().st_mode)
    os.close(terminal)
    os.close(device)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="descriptors have no path here")
def test_a_descriptor_of_the_process_is_written_to() -> None:
    reader, writer = os.pipe()
    with replacing(Path(f"/dev/fd/{writer}")) as file:
        file.write(b"after")
    assert os.read(reader, 100) == b"after"
    os.close(reader)
    os.close(writer)


@pytest.mark.django_db
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device here")
@pytest.mark.parametrize("command", [("export_articles",), ("queue_admin", "export")])
def test_an_export_to_a_full_device_fails_in_a_sentence_and_leaves_the_device(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    make_space()
    make_article()
    (tmp_path / "out").symlink_to("/dev/full")
    with pytest.raises(CommandError, match=r"cannot write .*: No space left on device"):
        call_command(*command, output=str(tmp_path / "out"), stdout=io.StringIO())
    assert names(tmp_path) == ["out"]
    assert stat.S_ISCHR(Path("/dev/full").lstat().st_mode)


@pytest.mark.django_db
@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("command", [("export_articles",), ("queue_admin", "export")])
def test_every_export_goes_through_it(command: tuple[str, ...], tmp_path: Path) -> None:
    make_space()
    make_article()
    path = tmp_path / "out.jsonl"
    call_command(*command, output=str(path), stdout=io.StringIO())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["out.jsonl"]


@pytest.mark.django_db
@pytest.mark.parametrize("output", [".", "/", "\u202e/nowhere"])
def test_a_place_that_cannot_be_written_is_reported_in_a_sentence(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match="cannot write") as refusal:
        call_command("export_articles", output=output, stdout=io.StringIO())
    assert "\u202e" not in str(refusal.value)
    assert names(tmp_path) == []
