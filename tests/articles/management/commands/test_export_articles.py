"""`manage.py export_articles`, as an operator uses it."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from articles.models import Article
from tests.articles.test_export import exported, some_articles

pytestmark = pytest.mark.django_db


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    some_articles(2)
    path = tmp_path / "out.jsonl"
    out = io.StringIO()
    call_command("export_articles", output=str(path), stdout=out)
    assert out.getvalue() == f"{path}: 2 articles\n"
    assert path.read_text(encoding="utf-8") == exported()
    assert [found.name for found in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_file_that_cannot_be_written_is_reported_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file or directory"):
        call_command("export_articles", output=str(tmp_path / "nowhere" / "out.jsonl"))


def test_a_file_is_for_its_owner_alone_and_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("of yesterday\n" * 1_000)
    path.chmod(0o644)
    some_articles(1)
    call_command("export_articles", output=str(path), stdout=io.StringIO())
    assert len(path.read_text().splitlines()) == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_export_that_fails_leaves_the_last_one_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("of yesterday")
    some_articles(1)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dumps", fail)
    with pytest.raises(CommandError, match="No space left"):
        call_command("export_articles", output=str(path), stdout=io.StringIO())
    assert path.read_text() == "of yesterday"
    assert [found.name for found in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("output", ["-", None])
def test_without_a_file_it_goes_to_standard_output(output: str | None) -> None:
    some_articles(2)
    out = io.StringIO()
    call_command("export_articles", output=output, stdout=out)
    assert len(out.getvalue().splitlines()) == Article.objects.count()


def test_nothing_is_an_empty_file(tmp_path: Path) -> None:
    out = io.StringIO()
    call_command("export_articles", output=str(tmp_path / "x"), stdout=out)
    assert ((tmp_path / "x").read_text(), "0 articles" in out.getvalue()) == ("", True)


def test_a_name_that_hides_something_shows_it(tmp_path: Path) -> None:
    out = io.StringIO()
    call_command("export_articles", output=str(tmp_path / "x\u202e"), stdout=out)
    assert "\u202e" not in out.getvalue()
