"""The database keeps what a filter describes: compared with an evaluation in Python, over random metadata."""

from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from articles.filters import EVERYTHING, Where, where
from articles.filters.fields import MAX_TEXT, Field, FieldType
from articles.filters.parse import InvalidFilter, date
from articles.models import Article
from tests.articles.filters.reference import fits

pytestmark = pytest.mark.django_db

FIELDS = {
    "name": Field("name", FieldType.STRING),
    "size": Field("size", FieldType.NUMBER),
    "day": Field("day", FieldType.DATE),
    "open": Field("open", FieldType.BOOLEAN),
}
LONG = "x" * (MAX_TEXT - 1)
# Few values, so that many are met again, and the odd ones of each type.
TEXTS = st.sampled_from(
    [
        "",
        "a",
        "A",
        "b",
        "ab",
        "é",
        "e\u0301",
        "ß",
        "日本",
        "🙂",
        "\uffff",
        "a ",
        "%s",
        "{x}",
        "'",
        '"',
        "\\",
        LONG,
        LONG + "y",
    ]
)
NUMBERS = st.sampled_from(
    [0, -0.0, 1, 1.0, 2, -1, 0.1, 0.5, 1e-300, 2**63, 2**64 - 1, -(2**63), 1.7e18]
) | st.integers(-3, 3)
DATES = st.sampled_from(
    [
        "2026-01-01",
        "2026-01-01T00:00Z",
        "2026-01-01T01:00+01:00",
        "2026-01-01 00:00:00.000001",
        "2025-12-31T23:59:59Z",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-14:00",
        "1969-07-20",
    ]
)
VALUES = {
    FieldType.STRING: TEXTS,
    FieldType.NUMBER: NUMBERS,
    FieldType.DATE: DATES,
    FieldType.BOOLEAN: st.booleans(),
}
# What another program or plain SQL may have written
FOREIGN = st.sampled_from(
    [
        None,
        [],
        {},
        ["a"],
        {"$gt": 1},
        "2026-02-30",
        "2026-01-01Z",
        "now",
        "1",
        20260101,
        "true",
        "0000-01-01",
        LONG + "yz",
        LONG + "z" * 5_000,
    ]
)


def held(type: FieldType) -> st.SearchStrategy[Any]:
    return VALUES[type] | VALUES[type] | FOREIGN


METADATA = st.fixed_dictionaries({}, optional={name: held(field.type) for name, field in FIELDS.items()})


def asked(type: FieldType) -> st.SearchStrategy[Any]:
    value = VALUES[type]
    operators: dict[str, st.SearchStrategy[Any]] = {
        "$eq": value,
        "$in": st.lists(value, min_size=1, max_size=3),
        "$exists": st.booleans(),
    }
    if type is not FieldType.BOOLEAN:
        operators |= dict.fromkeys(["$gt", "$gte", "$lt", "$lte"], value)
    compared = st.fixed_dictionaries({}, optional=operators).filter(bool)
    return value | compared


FILTERS = st.fixed_dictionaries(
    {}, optional={name: asked(field.type) for name, field in FIELDS.items()}
).filter(bool)


@pytest.fixture(autouse=True)
def declared(settings: Settings) -> None:
    settings.SEARCH_FILTERS = tuple(FIELDS.values())


def kept_by(condition: Where) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM articles WHERE {condition.text}", condition.values)
        return {article_id for (article_id,) in cursor.fetchall()}


def make(rows: list[dict[str, Any]]) -> list[Article]:
    return Article.objects.bulk_create(
        Article(slug=f"a{n}", title="A", metadata=metadata) for n, metadata in enumerate(rows)
    )


@given(st.lists(METADATA, min_size=1, max_size=30), st.lists(FILTERS, min_size=1, max_size=30))
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@pytest.mark.parametrize("is_indexed", [False, True])
def test_the_database_keeps_what_python_keeps(
    is_indexed: bool, rows: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> None:
    with transaction.atomic():
        if is_indexed:
            index_all()
        articles = make(rows)
        for filter in filters:
            wanted = {a.pk for a, row in zip(articles, rows, strict=True) if fits(row, filter, FIELDS)}
            assert kept_by(where(filter)) == wanted, filter
        transaction.set_rollback(True)


def index_all() -> None:
    """The indexes of the fields, not concurrently, and a planner that prefers them."""
    with connection.cursor() as cursor:
        for field in FIELDS.values():
            cursor.execute(f"CREATE INDEX ON articles (({field.expression.as_string(None)}))")
        cursor.execute("SET LOCAL enable_seqscan = off")


def test_a_value_that_no_index_could_hold_refuses_no_save() -> None:
    index_all()
    make([{"name": "\U0001f642" * 4_000}, {"name": "x" * 16_000}])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO articles (slug, title, metadata) VALUES ('n', 'n', jsonb_build_object("
            "'size', ('0.' || repeat('8', 15000))::numeric, 'day', repeat('2026-01-01', 1000), 'open', '[]'::jsonb))"
        )
    assert len(kept_by(where({"name": {"$gt": "a"}}))) == 2
    assert kept_by(where({"size": {"$exists": True}})) == set()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("style", ["ISO, MDY", "German", "SQL, DMY"])
def test_a_date_is_the_same_moment_in_every_session(zone: str, style: str) -> None:
    texts = [
        "2026-03-04",
        "2026-03-04T05:06",
        "2026-03-04 05:06:07.5+05:30",
        "2026-02-29",
        "1900-02-29",
        "x\n",
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL TimeZone = '{zone}'; SET LOCAL DateStyle = '{style}'")
        cursor.execute(
            "SELECT extract(epoch FROM articles_filter_date(t))::float FROM unnest(%s::text[]) t", [texts]
        )
        found = [row[0] for row in cursor.fetchall()]
    wanted = [moment and moment.timestamp() for moment in map(date, texts)]
    assert found == wanted


@given(
    st.text("0123456789-:.TZ+ ２\n", max_size=30)
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z?", fullmatch=True)
)
@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_database_reads_the_dates_that_python_reads(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM articles_filter_date(%s))::numeric", [text])
        (found,) = cursor.fetchone()
    moment = date(text)
    assert (found is None) is (moment is None)
    if moment is not None and moment.year > 1:
        assert float(found) == pytest.approx(moment.timestamp())


def test_values_travel_beside_the_statement() -> None:
    found = where({"name": "'; DROP TABLE articles; --", "size": {"$in": [1], "$exists": True}})
    assert "DROP" not in found.text
    assert set(found.values) == {"filter_0", "filter_1"}


def test_no_filter_keeps_everything() -> None:
    assert where({}) is where(None) is EVERYTHING
    assert not EVERYTHING.is_filter
    assert where({"name": "a"}).is_filter


def test_without_declared_fields_the_metadata_contains_the_filter(settings: Settings) -> None:
    settings.SEARCH_FILTERS = ()
    one, _ = make([{"tags": ["x", "y"], "deep": {"a": 1, "b": 2}}, {"tags": ["y"]}])
    assert kept_by(where({"tags": ["x"], "deep": {"a": 1}})) == {one.pk}
    with pytest.raises(InvalidFilter):
        where({"deep": {"$gt": 1}})
