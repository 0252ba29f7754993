"""Writing articles set by set, alone and beside others."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from articles.importing.drafts import Draft
from articles.importing.writer import BatchResult, write_batch
from articles.models import Article, ArticleVersion
from articles.signals import articles_written
from tests.concurrently import another_session, together, waiting_sessions
from tests.waiting import wait_until


def make_draft(slug: str, content: str = "Text", title: str = "Title", **metadata: Any) -> Draft:
    return Draft(f"line of {slug}", slug, title, content, json.dumps(metadata))


@contextmanager
def announcements() -> Iterator[list[tuple[list[int], str]]]:
    heard: list[tuple[list[int], str]] = []

    def record(article_ids: list[int], reason: str, **_: Any) -> None:
        assert connection.in_atomic_block
        heard.append((article_ids, reason))

    articles_written.connect(record)
    try:
        yield heard
    finally:
        articles_written.disconnect(record)


@pytest.mark.django_db
def test_new_articles_come_with_their_first_version() -> None:
    assert write_batch([make_draft("a", lang="en"), make_draft("b", "")], "Ada") == BatchResult(created=2)
    article = Article.objects.get(slug="a")
    assert (article.title, article.content, article.metadata) == ("Title", "Text", {"lang": "en"})
    version = article.versions.get()
    assert (version.version_number, version.title, version.content, version.author) == (
        1,
        "Title",
        "Text",
        "Ada",
    )
    assert version.created_at == article.created_at == article.updated_at


@pytest.mark.django_db
def test_the_same_again_changes_nothing() -> None:
    drafts = [make_draft("a", number=1e-300, nested={"x": [1.0, None]}), make_draft("b")]
    write_batch(drafts)
    before = list(Article.objects.order_by("id").values())
    with announcements() as heard:
        assert write_batch(drafts) == BatchResult(unchanged=2)
    assert heard == []
    assert list(Article.objects.order_by("id").values()) == before


@pytest.mark.django_db
def test_changed_text_becomes_a_new_version() -> None:
    write_batch([make_draft("a"), make_draft("b")])
    assert write_batch([make_draft("a", "New"), make_draft("b")]) == BatchResult(updated=1, unchanged=1)
    article = Article.objects.get(slug="a")
    assert (article.content, article.version_number) == ("New", 2)
    assert list(article.versions.values_list("version_number", "content")) == [(2, "New"), (1, "Text")]


@pytest.mark.django_db
def test_changed_metadata_is_an_update_without_a_version() -> None:
    write_batch([make_draft("a", x=1)])
    with announcements() as heard:
        assert write_batch([make_draft("a", x=2)]) == BatchResult(updated=1)
    article = Article.objects.get()
    assert (article.metadata, article.version_number, article.versions.count()) == ({"x": 2}, 1, 1)
    assert heard == []


@pytest.mark.django_db
def test_articles_with_new_text_are_announced_in_the_same_transaction() -> None:
    write_batch([make_draft("a"), make_draft("b"), make_draft("c", x=1)])
    with announcements() as heard:
        write_batch([make_draft("a", "New"), make_draft("b"), make_draft("c", x=2), make_draft("d")])
    ids = list(Article.objects.filter(slug__in=["a", "d"]).order_by("id").values_list("id", flat=True))
    assert heard == [(ids, "import")]


@pytest.mark.django_db
def test_articles_keep_the_order_of_the_file() -> None:
    write_batch([make_draft(slug) for slug in ["zebra", "apple", "mango"]])
    assert list(Article.objects.order_by("id").values_list("slug", flat=True)) == ["zebra", "apple", "mango"]


@pytest.mark.django_db
def test_a_row_the_database_refuses_does_not_take_the_others_with_it() -> None:
    drafts = [make_draft(f"a{number}") for number in range(7)]
    drafts[5] = Draft("line 6", "a5", "t" * 400, "", "{}")  # longer than the column
    drafts[2] = Draft("line 3", "a2", "Title", "", "[]")  # no object
    result = write_batch(drafts)
    assert (result.created, [refusal.place for refusal in result.refusals]) == (5, ["line 3", "line 6"])
    assert "the database refused it: value too long" in result.refusals[1].reason
    assert Article.objects.count() == ArticleVersion.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_a_listener_that_fails_takes_the_batch_with_it() -> None:
    def fail(**_: Any) -> None:
        raise LookupError("no")

    articles_written.connect(fail)
    try:
        with pytest.raises(LookupError):
            write_batch([make_draft("a")])
    finally:
        articles_written.disconnect(fail)
    assert not Article.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_imports_of_the_same_at_once_write_it_once() -> None:
    drafts = [make_draft(f"a{number}") for number in range(50)]
    results = together(4, lambda: write_batch(drafts))
    assert sum(result.created for result in results) == 50
    assert sum(result.unchanged for result in results) == 150
    assert Article.objects.count() == ArticleVersion.objects.count() == 50


@pytest.mark.django_db(transaction=True)
def test_an_article_saved_in_between_is_updated_not_doubled() -> None:
    done: list[BatchResult] = []

    def write() -> None:
        try:
            done.append(write_batch([make_draft("a", "Imported")]))
        finally:
            connection.close()

    thread = threading.Thread(target=write)
    with transaction.atomic():
        Article(slug="a", title="Title", content="Saved").save()
        thread.start()
        wait_until(lambda: waiting_sessions() == 1, what="the import to wait for the save")
    thread.join()
    assert done == [BatchResult(updated=1)]
    assert list(ArticleVersion.objects.values_list("version_number", "content")) == [
        (2, "Imported"),
        (1, "Saved"),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_with_another_writer_is_tried_again() -> None:
    write_batch([make_draft("a"), make_draft("b")])
    done: list[BatchResult] = []

    def write() -> None:
        try:
            done.append(write_batch([make_draft("a", "New"), make_draft("b", "New")]))
        finally:
            connection.close()

    with another_session() as other:
        other.execute("SET deadlock_timeout = '1min'")  # so that the import is the one that gives way
        other.execute("SELECT FROM articles WHERE slug = 'b' FOR UPDATE")
        thread = threading.Thread(target=write)
        thread.start()
        wait_until(lambda: waiting_sessions() == 1, what="the import to wait for b")
        other.execute("SELECT FROM articles WHERE slug = 'a' FOR UPDATE")
        other.commit()
    thread.join()
    assert done == [BatchResult(updated=2)]
