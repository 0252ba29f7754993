"""Saving articles: their versions, their slugs, and several people at once."""

import gc
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_save, pre_save
from django.dispatch import Signal
from django.test.utils import CaptureQueriesContext

from articles.models import Article, ArticleVersion, SlugTaken
from articles.signals import articles_written

pytestmark = pytest.mark.django_db


def saved(title: str = "A title", content: str = "Some text.", **fields: Any) -> Article:
    article = Article(title=title, content=content, **fields)
    article.save(author="writer")
    return article


def in_threads(count: int, work: Callable[..., Article] | Callable[..., None]) -> list[BaseException]:
    """Runs `work(n)` in `count` threads at once, each with its own connection; answers what they raised."""
    errors: list[BaseException] = []
    together = threading.Barrier(count)

    def run(number: int) -> None:
        together.wait(timeout=10)
        try:
            work(number)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return errors


@contextmanager
def connected(listener: Callable[..., object], signal: Signal) -> Iterator[None]:
    signal.connect(listener, sender=Article)
    try:
        yield
    finally:
        signal.disconnect(listener, sender=Article)


def test_a_new_article_has_version_one_with_its_author() -> None:
    article = saved()
    version = article.versions.get()
    assert (version.version_number, version.title, version.content) == (1, "A title", "Some text.")
    assert version.author == "writer"


def test_a_new_article_knows_what_the_database_filled_in() -> None:
    article = Article(title="A title")
    article.save()
    with CaptureQueriesContext(connection) as queries:
        assert article.created_at
        assert article.updated_at
        assert article.content_hash
    assert len(queries) == 0


def test_a_new_article_holds_what_its_row_holds() -> None:
    article = Article(title="A title", content="Text.", metadata={"lang": "en"})
    article.save()
    row = Article.objects.get()
    fields = [field.attname for field in Article._meta.concrete_fields]
    assert {name: getattr(article, name) for name in fields} == {name: getattr(row, name) for name in fields}


def test_an_id_and_a_time_that_were_given_are_kept() -> None:
    given = datetime(2001, 2, 3, tzinfo=UTC)
    Article(pk=12_345, title="Old", created_at=given).save()
    row = Article.objects.get()
    assert (row.pk, row.created_at) == (12_345, given)
    assert row.versions.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_new_article_is_a_transaction_of_one_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        saved()
    words = [query["sql"].split()[0] for query in queries]
    assert [word for word in words if word != "SELECT"] == ["WITH"]  # the mode is looked up once a second


@pytest.mark.django_db(transaction=True)
def test_a_save_that_nobody_watches_leaves_what_djangos_own_leaves() -> None:
    alone = saved(metadata={"lang": "en"})
    with connected(lambda **_: None, post_save):
        watched = saved(metadata={"lang": "en"})
    given = {"id", "slug", "created_at", "updated_at"}  # they differ from article to article
    assert {name: type(getattr(alone, name)) for name in given} == {
        name: type(getattr(watched, name)) for name in given
    }
    left = [
        {name: value for name, value in vars(each).items() if name not in {*given, "_state", "_creator"}}
        for each in (alone, watched)
    ]
    assert left[0] == left[1]
    assert vars(alone._state) == vars(watched._state)
    alone.title = "Another"
    alone.save()
    assert Article.objects.get(pk=alone.pk).title == "Another"
    assert Article.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("signal", [pre_save, post_save])
def test_those_who_listen_to_a_save_are_in_its_transaction(signal: Signal) -> None:
    def refuse(**_: Any) -> None:
        assert connection.in_atomic_block
        raise LookupError

    with connected(refuse, signal), pytest.raises(LookupError):
        saved()
    assert not Article.objects.exists()


def test_a_row_that_is_found_by_its_id_is_announced_as_an_edit() -> None:
    heard: list[tuple[list[int], str]] = []
    first = saved()
    with connected(lambda **sent: heard.append((sent["article_ids"], sent["reason"])), articles_written):
        Article(pk=first.pk, title="Another", slug=first.slug, version_number=2).save()
        saved()
    assert heard == [([first.pk], "edit")]


def test_an_article_and_its_version_are_one_statement_that_the_server_plans_once() -> None:
    for number in range(8):
        Article(title=f"Title {number}").save()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%article_versions%'"
        )
        assert cursor.fetchone() == (1,)


def test_a_connection_keeps_no_text_that_was_saved_through_it() -> None:
    article = saved()
    tracemalloc.start()
    try:
        for number in range(30):
            article.content = str(number) * 100_000
            article.save()
        article.content = ""
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_new_text_makes_a_version_and_new_metadata_does_not() -> None:
    article = saved()
    article.metadata = {"lang": "en"}
    article.save()
    assert article.version_number == 1
    article.content = "Other text."
    article.save()
    assert article.version_number == 2
    assert [version.content for version in article.versions.all()] == ["Other text.", "Some text."]


def test_each_save_moves_the_time_of_change() -> None:
    article = saved()
    before = article.updated_at
    article.save()
    assert article.updated_at > before


def test_a_partial_save_keeps_version_and_time_right() -> None:
    article = saved()
    article.content = "Other text."
    article.save(update_fields=["content"])
    article.refresh_from_db()
    assert (article.version_number, article.content) == (2, "Other text.")


def test_restoring_an_old_version_makes_a_new_one() -> None:
    article = saved()
    article.content = "Other text."
    article.save()
    article.restore(1, author="restorer")
    assert (article.version_number, article.content) == (3, "Some text.")
    assert article.versions.get(version_number=3).author == "restorer"


def test_equal_titles_get_numbered_slugs_and_then_random_ones() -> None:
    slugs = [saved().slug for _ in range(11)]
    assert slugs[:3] == ["a-title", "a-title-2", "a-title-3"]
    assert len(set(slugs)) == 11


def test_a_slug_that_is_taken_is_refused_and_nothing_is_written() -> None:
    saved(slug="mine")
    with pytest.raises(SlugTaken, match="mine"):
        saved(slug="mine")
    assert Article.objects.count() == 1
    assert ArticleVersion.objects.count() == 1


def test_raw_sql_can_insert_an_article_with_a_slug_and_a_title_alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO articles (slug, title) VALUES ('raw', 'Raw') RETURNING id")
        (key,) = cursor.fetchone()
    article = Article.objects.get(pk=key)
    assert (article.version_number, article.metadata, article.content) == (1, {}, "")


@pytest.mark.django_db(transaction=True)
def test_people_who_save_the_same_title_at_once_all_get_their_slug() -> None:
    assert in_threads(4, lambda _: saved("Same title")) == []
    assert Article.objects.count() == 4
    assert ArticleVersion.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_people_who_want_the_same_slug_at_once_get_it_once() -> None:
    errors = in_threads(4, lambda _: saved(slug="mine"))
    assert [type(error) for error in errors] == [SlugTaken] * 3
    assert Article.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_edits_at_once_make_one_version_each_without_gaps() -> None:
    article = saved()

    def edit(number: int) -> None:
        mine = Article.objects.get(pk=article.pk)
        mine.content = f"Text {number}."
        mine.save()

    assert in_threads(5, edit) == []
    assert [version.version_number for version in article.versions.all()] == [6, 5, 4, 3, 2, 1]
    article.refresh_from_db()
    assert article.version_number == 6
    assert article.content == article.versions.get(version_number=6).content


def wide(number: int) -> str:
    """One of 40,000 letters that take four bytes each."""
    return chr(0x20000 + number % 40_000)


HOSTILE = {
    "underscored words": "a_" * 500_000,
    "paths": "~/" * 500_000,
    "unclosed comments": "<!--" * 250_000,
    "half words": "http_" * 200_000,
    "one endless word": "a" * 1_000_000,
    "hyphenated words of wide letters": "".join(
        f"{wide(n)}{wide(7 * n)}-{wide(13 * n)}{wide(31 * n)} " for n in range(166_666)
    ),
    "addresses": "".join(f"http://h{n}.example.org/{n}/path?q={n} " for n in range(24_000)),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_million_hostile_characters_are_saved_without_stalling(content: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10s'")
    article = saved(content=content[:1_000_000])
    article.refresh_from_db()
    assert article.content == content[:1_000_000]


def test_the_largest_metadata_is_saved_and_found() -> None:
    article = saved(metadata={"k" * 8_000: ["v" * 8_000], "n": 2**64 - 1})
    assert Article.objects.having({"n": 2**64 - 1}).get() == article


def test_texts_slug_and_metadata_are_kept_in_the_composed_form() -> None:
    article = Article(
        title="Cafe\u0301", slug="cafe\u0301", content="e\u0301", metadata={"o\u0308": ["u\u0308"]}
    )
    article.save()
    article.refresh_from_db()
    assert (article.title, article.slug, article.content) == ("Café", "café", "é")
    assert article.metadata == {"ö": ["ü"]}
    assert article.versions.get().content == "é"
    article.content = "e\u0301"
    article.save()
    assert article.version_number == 1


def test_an_article_is_found_by_its_slug_in_either_form() -> None:
    Article(title="T", slug="café").save()
    assert Article.objects.by_slug("cafe\u0301") == Article.objects.by_slug("café")
    Article.objects.filter(slug="café").update(slug="cafe\u0301")  # as rows older than this rule may have it
    assert Article.objects.by_slug("cafe\u0301").slug == "cafe\u0301"
    with pytest.raises(Article.DoesNotExist):
        Article.objects.by_slug("cafe")
