"""The indexes of declared fields: built, used, rebuilt and removed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from articles.filters import indexes, where
from articles.filters.fields import Field, FieldType
from articles.models import Article
from tests.concurrently import another_session, waiting_sessions
from tests.databases import spoil_index
from tests.queueops.factories import plan_of
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

USER = Field("userId", FieldType.STRING)
VERSION = Field("version", FieldType.NUMBER)
CREATED = Field("created", FieldType.DATE)
PUBLIC = Field("public", FieldType.BOOLEAN)


@pytest.fixture(autouse=True)
def declared(settings: Settings) -> Iterator[Settings]:
    settings.SEARCH_FILTERS = (USER, VERSION, CREATED, PUBLIC)
    yield settings
    settings.SEARCH_FILTERS = ()
    indexes.sync()


def fill(count: int = 3_000) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO articles (slug, title, metadata) SELECT 'a' || n, 'A', jsonb_build_object('userId', 'u' || n, "
            "'version', n, 'created', '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 minute', "
            "'public', n %% 300 = 0) FROM generate_series(1, %s) n",
            [count],
        )
        cursor.execute("ANALYZE articles")


def plan_of_filter(filter: dict[str, Any]) -> str:
    condition = where(filter)
    return plan_of(f"SELECT id FROM articles WHERE {condition.text} LIMIT 5001", condition.values)


def names() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE starts_with(relname, 'articles_filter_')")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize(
    ("field", "filter"),
    [
        (USER, {"userId": "u7"}),
        (USER, {"userId": {"$in": ["u7", "u8"]}}),
        (USER, {"userId": {"$gt": "u9", "$lt": "u91"}}),
        (VERSION, {"version": 7}),
        (VERSION, {"version": {"$gte": 10, "$lte": 20.5}}),
        (CREATED, {"created": "2026-01-01T00:07:00Z"}),
        (CREATED, {"created": {"$lt": "2026-01-01T01:00"}}),
        (PUBLIC, {"public": True}),
        (USER, {"userId": {"$exists": False}}),
    ],
)
def test_a_filter_that_keeps_few_reads_the_index_of_its_field(field: Field, filter: dict[str, Any]) -> None:
    fill()
    indexes.sync()
    plan = plan_of_filter(filter)
    assert field.index_name in plan, plan


def test_building_says_what_it_built_and_a_second_time_finds_nothing_to_do() -> None:
    assert indexes.difference() == indexes.Difference(list(settings.SEARCH_FILTERS), [])
    assert indexes.sync() == indexes.Synced((USER, VERSION, CREATED, PUBLIC))
    assert names() == {field.index_name for field in settings.SEARCH_FILTERS}
    assert not indexes.difference()
    assert not indexes.sync()


def test_the_index_of_a_field_that_is_no_longer_declared_or_changed_its_type_is_removed(
    declared: Settings,
) -> None:
    indexes.sync()
    other = Field("version", FieldType.STRING)
    declared.SEARCH_FILTERS = (USER, other)
    done = indexes.sync()
    assert done.built == (other,)
    assert set(done.removed) == {field.index_name for field in (VERSION, CREATED, PUBLIC)}
    assert names() == {USER.index_name, other.index_name}


def test_an_interrupted_build_is_done_again() -> None:
    indexes.sync()
    spoil_index(USER.index_name)
    assert indexes.difference().missing == [USER]
    assert indexes.sync() == indexes.Synced((USER,))
    assert not indexes.difference()


def test_only_one_process_builds() -> None:
    with another_session() as other:
        other.execute("SELECT pg_advisory_lock(hashtext('articles.filters.indexes'), 0)")
        assert indexes.sync() == indexes.Synced(is_busy=True)
        with pytest.raises(CommandError, match="another process is building"):
            call_command("filter_indexes")
    assert indexes.sync().built


def test_migrate_builds_them() -> None:
    call_command("migrate", verbosity=0)
    assert names() == {field.index_name for field in settings.SEARCH_FILTERS}


def test_nothing_is_built_while_the_schema_is_older() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER FUNCTION articles_filter_date(text) RENAME TO gone")
        try:
            assert not indexes.sync()
        finally:
            cursor.execute("ALTER FUNCTION gone(text) RENAME TO articles_filter_date")


def test_people_write_while_an_index_is_built(declared: Settings) -> None:
    """A build waits for older transactions, and nobody waits for it."""
    declared.SEARCH_FILTERS = (USER,)
    with another_session() as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute("INSERT INTO articles (slug, title) VALUES ('before', 'Before')")
            building = pool.submit(built_elsewhere)
            wait_until(lambda: waiting_sessions() > 0)
            Article(title="Meanwhile", metadata={"userId": "u1"}).save()
        assert building.result(20) == (USER,)
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        condition = where({"userId": "u1"})
        cursor.execute(f"SELECT title FROM articles WHERE {condition.text}", condition.values)
        assert cursor.fetchall() == [("Meanwhile",)]
        cursor.execute("RESET enable_seqscan")


def built_elsewhere() -> tuple[Field, ...]:
    try:
        return indexes.sync().built
    finally:
        connection.close()
