"""Every article as JSON lines, and back again."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from articles import export
from articles.export import jsonl_lines
from articles.models import Article

pytestmark = pytest.mark.django_db


def some_articles(count: int) -> None:
    for number in range(count):
        Article(
            title=f"Ünïcode № {number}\u2028", content='line\n"quoted" \u2028 😀', metadata={"n": number}
        ).save()


def exported() -> str:
    out = io.StringIO()
    call_command("export_articles", stdout=out)
    return out.getvalue()


def test_each_article_is_a_line_in_the_order_of_their_making() -> None:
    article = Article(title="One", content="Text", metadata={"a": [1, None]})
    article.save()
    article.content = "New"
    article.save()
    article.refresh_from_db()
    (line,) = jsonl_lines()
    assert json.loads(line) == {
        "slug": "one",
        "title": "One",
        "content": "New",
        "metadata": {"a": [1, None]},
        "version_number": 2,
        "created_at": article.created_at.isoformat(),
        "updated_at": article.updated_at.isoformat(),
    }


def test_an_export_comes_back_without_changing_anything(tmp_path: Path) -> None:
    some_articles(5)
    before = list(Article.objects.order_by("id").values())
    (tmp_path / "a.jsonl").write_text(exported(), encoding="utf-8", newline="")
    out = io.StringIO()
    call_command("import_articles", jsonl=str(tmp_path / "a.jsonl"), stdout=out)
    assert "0 created, 0 updated, 5 unchanged, 0 refused" in out.getvalue()
    assert list(Article.objects.order_by("id").values()) == before


def test_an_export_fills_an_empty_database_with_the_same(tmp_path: Path) -> None:
    some_articles(3)
    before = exported()
    (tmp_path / "a.jsonl").write_text(before, encoding="utf-8", newline="")
    Article.objects.all().delete()
    call_command("import_articles", jsonl=str(tmp_path / "a.jsonl"), stdout=io.StringIO())
    kept = ("slug", "title", "content", "metadata")
    for old, new in zip(before.splitlines(), exported().splitlines(), strict=True):
        assert [json.loads(old)[key] for key in kept] == [json.loads(new)[key] for key in kept]


def test_an_article_is_one_line_for_every_reader() -> None:
    some_articles(1)
    (line,) = exported().splitlines()
    assert json.loads(line)["title"] == "Ünïcode № 0\u2028"


def test_articles_are_read_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_PAGE", 2)
    some_articles(5)
    with CaptureQueriesContext(connection) as queries:
        assert len(list(jsonl_lines())) == 5
    assert len(queries) == 4


def test_a_part_of_the_articles_can_be_exported() -> None:
    some_articles(4)
    assert len(list(jsonl_lines(Article.objects.filter(metadata__n__gte=2)))) == 2
