"""Whether the database holds what models and migrations say: tables, columns, constraints, indexes, triggers,
sequences."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.db import connection, models
from psycopg import sql

from articles.filters import indexes
from articles.filters.fields import INDEX_PREFIX
from lib.manage_command import manage
from queueops.operate.checks.finding import Finding, fail, ok, warn

ROOMS = ("articles", "embeddings", "queueops", "access")
# What migrations make in SQL, of which models know nothing; by table: columns, constraints, indexes, triggers.
COLUMNS_BY_SQL: Mapping[str, tuple[str, ...]] = {"articles": ("keywords",)}
CONSTRAINTS_BY_SQL: Mapping[str, tuple[str, ...]] = {
    "articles": ("articles_checked",),
    "article_versions": ("article_versions_times_of_years_1_to_9999",),
}
INDEXES_BY_SQL: Mapping[str, tuple[str, ...]] = {"articles": ("articles_keywords",)}
TRIGGERS: Mapping[str, tuple[str, ...]] = {
    "articles": ("articles_fill_in", "articles_first_version", "articles_keep_text"),
    "embedding_tasks": ("embedding_tasks_tidy", "embedding_tasks_tell", "embedding_tasks_note_schedule"),
    "embedding_audit_logs": ("embedding_audit_logs_append_only",),
}
_MEND = f"Restore the schema from a backup, or run the statement of its migration; to print it: {manage('sqlmigrate')}."
_ANN = "article_embeddings_ann_"

# one row per table: what exists there; 'O' and 'A' are triggers that fire
_THERE = """
SELECT c.relname,
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = c.oid AND (convalidated OR contype = 'c')),
    ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
          WHERE x.indrelid = c.oid AND x.indisvalid),
    ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
          WHERE x.indrelid = c.oid AND NOT x.indisvalid),
    ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled IN ('O', 'A')),
    ARRAY(SELECT (SELECT attname::text FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1])
                 || ' ' || k.confrelid::regclass::text || ' ' || k.confdeltype::text
          FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.convalidated),
    ARRAY(SELECT a.attname::text FROM pg_index x JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
          WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid AND x.indnkeyatts = 1 AND x.indpred IS NULL)
FROM pg_class c
WHERE c.relname = ANY(%s) AND c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
"""


class _Table:
    """What the database has of one table."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.columns, self.constraints, self.indexes, self.invalid, self.triggers, self.keys, self.unique = (
            map(set, row[1:])
        )


def check() -> Iterator[Finding]:
    """A finding for each thing that is missing or unusable; where nothing is, one for tables and one for sequences."""
    missing = [*_missing(), *_missing_of_filters()]
    yield from missing
    if not missing:
        yield ok("schema", f"{len(_models())} tables with all columns, constraints, indexes and triggers")
    behind = list(_sequences())
    yield from behind
    if not behind:
        yield ok("sequences", "are above the highest ids")


def _models() -> list[type[models.Model]]:
    return [
        model
        for room in ROOMS
        for model in apps.get_app_config(room).get_models(include_auto_created=True)
        if model._meta.managed
    ]


def _missing() -> Iterator[Finding]:
    tables = [model._meta.db_table for model in _models()]
    with connection.cursor() as cursor:
        cursor.execute(_THERE, [tables])
        there = {row[0]: _Table(row) for row in cursor.fetchall()}
    for model in _models():
        name = model._meta.db_table
        if name not in there:
            yield fail(f"table {name}", "is missing", "Restore it from a backup.")
            continue
        for kind, thing in _lacks(model, there[name]):
            yield fail(f"{kind} {name}.{thing}", "is missing or unusable", _MEND)
        for index in sorted(there[name].invalid):
            if not index.startswith(INDEX_PREFIX):
                yield _invalid(index)


def _missing_of_filters() -> Iterator[Finding]:
    for field in indexes.difference().missing:
        detail = "is missing or invalid: searches with this filter are complete, but slow"
        yield warn(f"index of the filter {field.name}", detail, f"Run: {manage('filter_indexes')}")


def _invalid(index: str) -> Finding:
    if index.startswith(_ANN):
        fix = f"Run: {manage('reindex --index-only')}"
    else:
        fix = f"Run: REINDEX INDEX CONCURRENTLY {sql.Identifier(index).as_string()};"
    return fail(f"index {index}", "is invalid: its build was interrupted", fix)


def _lacks(model: type[models.Model], table: _Table) -> Iterator[tuple[str, str]]:
    meta, name = model._meta, model._meta.db_table
    for field in meta.local_concrete_fields:
        column = str(field.column)
        if column not in table.columns:
            yield "column", column
        if field.unique and column not in table.unique:
            yield "unique column", column
        if isinstance(field, models.ForeignKey) and _key(field) not in table.keys:
            yield "foreign key", column
    for constraint in meta.constraints:
        # a unique constraint with a condition or an expression is an index to Postgres
        if constraint.name not in table.constraints | table.indexes:
            yield "constraint", str(constraint.name)
    yield from (
        ("constraint", each) for each in CONSTRAINTS_BY_SQL.get(name, ()) if each not in table.constraints
    )
    yield from (("index", index.name) for index in meta.indexes if index.name not in table.indexes)
    yield from (("column", column) for column in COLUMNS_BY_SQL.get(name, ()) if column not in table.columns)
    yield from (("index", index) for index in INDEXES_BY_SQL.get(name, ()) if index not in table.indexes)
    yield from (("trigger", each) for each in TRIGGERS.get(name, ()) if each not in table.triggers)


def _key(field: Any) -> str:
    """A foreign key as _THERE returns it: column, table, and what a delete does ('c' cascades, 'a' nothing)."""
    action = "c" if field.remote_field.on_delete is models.DB_CASCADE else "a"
    return f"{field.column} {field.remote_field.model._meta.db_table} {action}"


# the position of a sequence, and the highest id that it must exceed
_STAND = """
SELECT pg_get_serial_sequence({name}, {column}),
       (SELECT coalesce(max({key}), 0) FROM {table}),
       coalesce(s.last_value, 0), s.max_value
FROM (VALUES (1)) one LEFT JOIN pg_sequences s
    ON format('%I.%I', s.schemaname, s.sequencename)::regclass = pg_get_serial_sequence({name}, {column})::regclass
"""
# past this share of its ids, a row was given an id that the sequence would not have reached
_NEARLY_USED_UP = 0.9


def _sequences() -> Iterator[Finding]:
    """Sequences that a restore or rows with explicit ids have left behind: the next insert would meet a taken id."""
    there = set(connection.introspection.table_names())
    for model in _models():
        key, name = model._meta.pk, model._meta.db_table
        if not isinstance(key, models.AutoField | models.BigAutoField) or name not in there:
            continue
        column = str(key.column)
        statement = sql.SQL(_STAND).format(
            name=sql.Literal(name),
            column=sql.Literal(column),
            key=sql.Identifier(column),
            table=sql.Identifier(name),
        )
        with connection.cursor() as cursor:
            cursor.execute(statement)
            sequence, highest, stands, most = cursor.fetchone()
        if sequence is None:
            yield fail(f"sequence {name}.{column}", "is missing: no row can be added", _MEND)
        elif max(stands, highest) > most * _NEARLY_USED_UP:
            yield fail(
                f"sequence {name}.{column}",
                f"is nearly exhausted: it is at {stands} of {most}, and the highest id is {highest}; after the last "
                "one no row can be added",
                f"Give rows with such ids lower ones, then set {sequence} to the highest that is left: setval().",
            )
        elif stands < highest:
            yield fail(
                f"sequence {name}.{column}",
                f"is at {stands}, and the highest id is {highest}: new rows get ids that exist",
                f"Run: SELECT setval({sql.Literal(sequence).as_string()}, {highest});",
            )
