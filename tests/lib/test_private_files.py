"""Exports are their owner's alone, and whole whenever they are there."""

import io
import os
import stat

import pytest
from django.core.management import CommandError, call_command

from lib.private_files import replacing
from tests.queueops.factories import make_article, make_space


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_only_the_owner_may_read_it_even_while_it_is_written(tmp_path):
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


def test_what_fails_half_way_leaves_nothing_and_replaces_nothing(tmp_path):
    path = tmp_path / "out"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        _ = 1 / 0
    assert (path.read_text(), names(tmp_path)) == ("before", ["out"])


def test_a_link_in_its_place_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "target").write_text("before")
    (tmp_path / "out").symlink_to(tmp_path / "target")
    with replacing(tmp_path / "out") as file:
        file.write(b"after")
    assert (tmp_path / "target").read_text() == "before"
    assert (tmp_path / "out").read_text() == "after"


@pytest.mark.django_db
@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("command", [("export_articles",), ("queue_admin", "export")])
def test_every_export_goes_through_it(command, tmp_path):
    make_space()
    make_article()
    path = tmp_path / "out.jsonl"
    call_command(*command, output=str(path), stdout=io.StringIO())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["out.jsonl"]


@pytest.mark.django_db
@pytest.mark.parametrize("output", [".", "/", "\u202e/nowhere"])
def test_a_place_that_cannot_be_written_is_told_in_a_sentence(output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match="cannot write") as refusal:
        call_command("export_articles", output=output, stdout=io.StringIO())
    assert "\u202e" not in str(refusal.value)
    assert names(tmp_path) == []
