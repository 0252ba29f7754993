"""Rows written past save(): the database checks what the model checks, and keeps every text."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from articles import limits
from articles.importing.drafts import Draft
from articles.importing.writer import BatchResult, write_batch
from articles.models import Article, ArticleVersion

pytestmark = pytest.mark.django_db


def execute(statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else []


def by_sql(**columns: Any) -> None:
    names = {"slug": "s", "title": "T"} | columns
    values = ", ".join(["%s"] * len(names))
    execute(f"INSERT INTO articles ({', '.join(names)}) VALUES ({values})", *names.values())


def history(article: Article) -> list[tuple[int, str]]:
    return list(article.versions.values_list("version_number", "content").order_by("version_number"))


def test_an_article_inserted_without_slug_has_an_address_and_a_first_version() -> None:
    (row,) = execute(
        "INSERT INTO articles (title, content) VALUES ('T', 'C') RETURNING id, slug, version_number"
    )
    assert row[1:] == (f"article-{row[0]}", 1)
    assert history(Article.objects.get()) == [(1, "C")]


def test_bulk_create_gives_each_article_slug_and_first_version() -> None:
    made = Article.objects.bulk_create([Article(title="One", content="1"), Article(title="Two", slug="two")])
    assert [article.version_number for article in made] == [1, 1]
    assert sorted(Article.objects.values_list("slug", flat=True)) == [f"article-{made[0].pk}", "two"]
    assert history(made[0]) == [(1, "1")]
    assert history(made[1]) == [(1, "")]


def test_a_slug_made_for_a_row_leaves_those_that_are_taken() -> None:
    (last_id,) = execute("SELECT nextval(pg_get_serial_sequence('articles', 'id'))")[0]
    Article(title="Taken", slug=f"article-{last_id + 2}").save()
    execute("INSERT INTO articles (title) VALUES ('T')")
    made = Article.objects.get(title="T")
    assert made.slug.startswith(f"article-{last_id + 2}-")


def test_an_insert_that_meets_a_taken_slug_leaves_no_version() -> None:
    Article(title="T", slug="s", content="Mine").save()
    execute("INSERT INTO articles (slug, title) VALUES ('s', 'Other') ON CONFLICT DO NOTHING")
    transaction.get_connection().check_constraints()
    assert ArticleVersion.objects.get().content == "Mine"


def test_who_gives_the_version_number_writes_the_version() -> None:
    by_sql(version_number=1)
    assert not ArticleVersion.objects.exists()


def test_a_text_without_a_version_gets_one_before_it_is_overwritten() -> None:
    by_sql(version_number=1, content="The first")
    article = Article.objects.get()
    article.content = "The second"
    article.save()
    assert history(article) == [(1, "The first"), (2, "The second")]


@pytest.mark.parametrize("author", ["sql", "update()"])
def test_a_text_overwritten_past_save_stays_in_the_history(author: str) -> None:
    article = Article(title="T", content="The first")
    article.save()
    if author == "sql":
        execute("UPDATE articles SET content = 'By hand'")
    else:
        Article.objects.update(content="By hand")
    article.refresh_from_db()
    assert (article.version_number, history(article)) == (2, [(1, "The first"), (2, "By hand")])
    article.content = "The last"
    article.save()
    assert history(article)[2:] == [(3, "The last")]


@pytest.mark.parametrize("number", [1, 2, 50, 1_999_999_999, 2_000_000_000, 2_000_000_001, 2_147_483_647])
@pytest.mark.parametrize("writer", ["save()", "sql", "import"])
def test_a_version_number_set_by_hand_stops_no_later_edit_and_hides_no_text(number: int, writer: str) -> None:
    article = Article(title="T", slug="t", content="one")
    article.save()
    for text in ("two", "three"):
        article.content = text
        article.save()
    execute("UPDATE articles SET version_number = %s", number)
    for text in ("four", "five"):
        write(article, text, writer)
    row = Article.objects.get()
    assert [text for _, text in history(row)] == ["one", "two", "three", "four", "five"]
    assert row.versions.get(version_number=row.version_number).content == row.content == "five"


@pytest.mark.parametrize("number", [7, *range(1_999_999_993, 2_000_000_002), 2_147_483_647])
@pytest.mark.parametrize("writer", ["save()", "sql", "import"])
def test_a_text_and_a_number_near_the_end_set_by_hand_stop_no_later_edit(number: int, writer: str) -> None:
    article = Article(title="T", slug="t", content="one")
    article.save()
    execute("UPDATE articles SET version_number = %s, content = 'by hand'", number)
    texts = ["two", "three", "four", "five", "six", "seven", "eight"]
    for text in texts:
        write(article, text, writer)
    row = Article.objects.get()
    assert {text for _, text in history(row)} == {"one", "by hand", *texts}
    assert row.versions.get(version_number=row.version_number).content == row.content == "eight"


def write(article: Article, text: str, writer: str) -> None:
    if writer == "save()":
        article.content = text
        article.save()
        assert Article.objects.get().version_number == article.version_number
    elif writer == "sql":
        execute("UPDATE articles SET content = %s", text)
    else:
        assert write_batch([Draft("line 1", "t", "T", text, "{}")]) == BatchResult(updated=1)


def test_an_update_of_other_columns_writes_no_version() -> None:
    Article(title="T", content="C").save()
    execute("UPDATE articles SET metadata = '{\"a\": 1}', title = title, content = content")
    assert ArticleVersion.objects.count() == Article.objects.get().version_number == 1


def test_saving_other_fields_of_a_stale_instance_writes_no_version() -> None:
    stale = Article(title="T", content="one")
    stale.save()
    newer = Article.objects.get()
    newer.content = "two"
    newer.save()
    stale.metadata = {"lang": "en"}
    stale.save(update_fields=["metadata"])
    assert history(newer) == [(1, "one"), (2, "two")]
    row = Article.objects.get()
    assert (row.version_number, row.content, row.metadata) == (2, "two", {"lang": "en"})


def test_saving_an_instance_that_did_not_read_its_text_writes_no_version() -> None:
    Article(title="T", content="one").save()
    article = Article.objects.only("metadata").get()
    Article.objects.update(content="two")
    article.metadata = {"lang": "en"}
    article.save()
    assert ArticleVersion.objects.count() == 2
    assert Article.objects.get().content == "two"


def test_a_partial_save_of_one_half_of_a_text_keeps_the_other_as_it_is_in_the_row() -> None:
    stale = Article(title="Old title", content="one")
    stale.save()
    Article.objects.update(content="two")
    stale.title = "New title"
    stale.save(update_fields=["title"])
    newest = ArticleVersion.objects.first()
    assert newest is not None
    assert (newest.version_number, newest.title, newest.content) == (3, "New title", "two")


def test_a_save_and_an_import_wake_no_trigger() -> None:
    execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'woken'; END $$")
    for name, when in (("fill_in", "BEFORE"), ("first_version", "AFTER")):
        (definition,) = execute(
            f"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'articles_{name}'"
        )[0]
        execute(f"DROP TRIGGER articles_{name} ON articles")
        execute(definition.replace(f"EXECUTE FUNCTION articles_{name}()", "EXECUTE FUNCTION fail()"))
        assert when in definition
    Article(title="T", content="C").save()
    with pytest.raises(Exception, match="woken"):
        execute("INSERT INTO articles (title) VALUES ('T')")


SLUGS = [
    "",
    "export",
    "-a",
    "a-",
    "a--b",
    "A",
    "a_b",
    "a/b",
    "a b",
    "a.b",
    "a?",
    "a%",
    "a\u200b",
    "a\ufeff",
    "\u00a0",
]
TITLES = ["", " ", "\u00a0\u3000", "a\nb", "a\tb", "\x7f"]


@pytest.mark.parametrize("slug", SLUGS)
def test_a_slug_that_the_model_refuses_is_refused_by_the_database(slug: str) -> None:
    with pytest.raises(ValidationError):
        limits.check_slug(slug)
    by_sql(slug="fine")
    with pytest.raises(IntegrityError, match="slug_is_an_address"):
        execute("UPDATE articles SET slug = %s", slug)


@pytest.mark.parametrize("title", TITLES)
def test_a_title_that_the_model_refuses_is_refused_by_the_database(title: str) -> None:
    with pytest.raises(ValidationError):
        limits.check_title(title)
    with pytest.raises(IntegrityError, match="title_is_a_line"):
        by_sql(title=title)


def nested(depth: int) -> str:
    return '{"a": ' * depth + "1" + "}" * depth


@pytest.mark.parametrize(
    "metadata",
    [nested(32), '{"a": ' + "[" * 40 + "]" * 40 + "}", '{"n": 18446744073709551616}', '{"n": [{"m": -1e30}]}',
     '{"n": 1e6000}'],
)  # fmt: skip
def test_metadata_that_programs_cannot_read_is_refused_by_the_database(metadata: Any) -> None:
    with pytest.raises(IntegrityError, match="metadata_can_be_read"):
        by_sql(metadata=metadata)


@pytest.mark.parametrize("column", ["created_at", "updated_at"])
@pytest.mark.parametrize("time", ["infinity", "-infinity", "10000-01-01", "0002-01-01 BC"])
def test_a_time_that_no_list_could_show_is_refused_by_the_database(column: str, time: str) -> None:
    with pytest.raises(IntegrityError, match="times_of_years_1_to_9999"):
        by_sql(**{column: time})


def test_sizes_that_the_model_refuses_are_refused_by_the_database() -> None:
    with pytest.raises(IntegrityError, match="content_fits"), transaction.atomic():
        by_sql(content="ä" * (limits.MAX_CONTENT + 1))
    with pytest.raises(IntegrityError, match="metadata_fits"):
        by_sql(metadata='{"a": "' + "x" * 100_000 + '"}')


LARGEST: dict[str, dict[str, Any]] = {
    "digits": {"a": [1] * 5_000},
    "empty objects": {"a": [{}] * 4_000},
    "keys": {str(number): 1 for number in range(1_500)},
    "nested": {"a": [[[[[[[]]]]]]] * 900},
    "wide letters": {"a": "😀" * 4_000},
    "small fractions": {"a": [1e-300] * 2_000},
    "numbers": {"a": [2**64 - 1, -(2**63), 1.5, 0.1]},
}


@pytest.mark.parametrize("metadata", LARGEST.values(), ids=LARGEST)
def test_the_database_accepts_whatever_the_model_accepts(metadata: Any) -> None:
    limits.check_metadata(metadata)
    Article(title="T", metadata=metadata).save()
    assert Article.objects.get().metadata == metadata


@pytest.mark.parametrize("slug", ["a", "ä-1", "東京-2024", "привет", "ª", "क्षि", "x" * 200, "٣"])
def test_a_slug_that_the_model_takes_is_taken_by_the_database(slug: str) -> None:
    limits.check_slug(slug)
    by_sql(slug=slug)


def test_the_deepest_metadata_and_the_largest_content_are_taken() -> None:
    deepest: dict[str, Any] = {}
    for _ in range(30):
        deepest = {"a": deepest}
    limits.check_metadata(deepest)
    article = Article(title="T", content="😀" * limits.MAX_CONTENT, metadata=deepest)
    article.full_clean()
    article.save()


@pytest.mark.django_db(transaction=True)
def test_rows_that_the_checks_would_refuse_are_mended_when_the_checks_come() -> None:
    call_command("migrate", "articles", "0002", verbosity=0)
    execute("ALTER TABLE articles ALTER version_number SET DEFAULT 1")
    by_sql(slug="", title="No slug")
    by_sql(slug="Foo/Bar_Baz", title="Two\nlines")
    by_sql(slug="foo-bar-baz", title=" ")
    by_sql(slug="huge", metadata='{"n": 1e5000}')
    by_sql(slug="late", created_at="infinity", updated_at="-infinity")
    execute("INSERT INTO articles (slug, title, content) VALUES ('large', 'Large', repeat('x', 1000001))")
    call_command("migrate", "articles", verbosity=0)
    rows = {article.slug: article for article in Article.objects.order_by("id")}
    assert list(rows) == ["no-slug", "foo-bar-baz-2", "foo-bar-baz", "huge", "late", "large"]
    assert rows["foo-bar-baz-2"].title == "Two lines"
    assert rows["foo-bar-baz"].title == "Untitled"
    assert rows["huge"].metadata["unreadable"].startswith('{"n": 1000')
    assert rows["late"].created_at == rows["late"].updated_at
    assert len(rows["large"].content) == 1_000_001
    assert ArticleVersion.objects.count() == 6
