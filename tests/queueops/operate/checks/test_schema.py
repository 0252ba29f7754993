"""Each table, column, index, trigger and sequence that is missing or unusable is named with what to do."""

import pytest
from django.db import connection
from pytest_django import Settings

from articles.filters.fields import Field, FieldType
from queueops.operate.checks import schema
from queueops.operate.checks.finding import CheckResult
from tests.databases import spoil_index
from tests.queueops.operate.checks.troubles import execute, troubles


@pytest.mark.django_db
def test_an_index_whose_making_was_cut_off_is_named() -> None:
    spoil_index("embedding_tasks_held")
    assert "index embedding_tasks_held" in troubles(schema.check())


@pytest.mark.django_db
@pytest.mark.impossible_rows("tables are harmed")
def test_a_sequence_near_its_end_is_named_while_rows_can_still_be_added() -> None:
    execute(f"ALTER TABLE embedding_tasks ALTER id RESTART WITH {2**63 - 1_000}")
    execute("SELECT nextval(pg_get_serial_sequence('embedding_tasks', 'id'))")
    says = {finding.check: finding.detail for finding in schema.check()}
    assert "nearly exhausted" in says["sequence embedding_tasks.id"]


@pytest.mark.django_db
@pytest.mark.impossible_rows("tables are harmed")
def test_a_foreign_key_that_no_longer_cascades_is_named() -> None:
    execute(
        "DO $$ DECLARE name text; BEGIN SELECT conname INTO name FROM pg_constraint WHERE contype = 'f' AND "
        "conrelid = 'embedding_tasks'::regclass AND confrelid = 'articles'::regclass; EXECUTE "
        "'ALTER TABLE embedding_tasks DROP CONSTRAINT ' || quote_ident(name) || "
        "', ADD FOREIGN KEY (article_id) REFERENCES articles'; END $$"
    )
    assert set(troubles(schema.check())) == {"foreign key embedding_tasks.article_id"}


@pytest.mark.django_db
def test_the_triggers_it_looks_for_are_all_there_are() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN "
            "(SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)"
        )
        assert set(cursor.fetchall()) == {(t, name) for t, names in schema.TRIGGERS.items() for name in names}


def test_a_hint_for_psql_quotes_the_name_of_an_index() -> None:
    assert schema._invalid('x"; DROP TABLE articles; --').fix == (
        'Run: REINDEX INDEX CONCURRENTLY "x""; DROP TABLE articles; --";'
    )


@pytest.mark.django_db
def test_a_filter_without_its_index_is_named_with_the_command(settings: Settings) -> None:
    settings.SEARCH_FILTERS = (Field("userId", FieldType.STRING),)
    found = {finding.check: finding for finding in schema.check()}["index of the filter userId"]
    assert found.verdict is CheckResult.WARN
    assert found.fix.endswith("filter_indexes")
    settings.SEARCH_FILTERS = ()
    assert not troubles(schema.check())


@pytest.mark.django_db
def test_an_invalid_index_of_a_filter_is_named_once(settings: Settings) -> None:
    field = Field("userId", FieldType.STRING)
    settings.SEARCH_FILTERS = (field,)
    execute(f"CREATE INDEX {field.index_name} ON articles (({field.expression.as_string(None)}))")
    assert not troubles(schema.check())
    spoil_index(field.index_name)
    assert set(troubles(schema.check())) == {"index of the filter userId"}
