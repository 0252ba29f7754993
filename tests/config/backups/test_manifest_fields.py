"""Which values the fields of a manifest may have; test_manifest.py has them in files."""

from pathlib import Path
from typing import Any

import pytest

from config.backups import server
from config.backups.errors import BackupError
from config.backups.manifest_fields import QUEUE, TABLE, WHOLE, check, shown

ARCHIVE, PLACE = Path("/b/a.dump"), Path("/b/a.dump.json")


def fields(**changes: Any) -> dict[str, Any]:
    given = {
        "format": 1, "file": "a.dump", "sha256": "0" * 64, "bytes": 1, "kind": WHOLE, "database": "d", "server": 17,
        "made_at": "2026-01-31T12:00:00+00:00", "migrations": {"articles": "0001_initial"}, "rows": {"articles": 0},
    }  # fmt: skip
    return {**given, **changes}


def refusal(given: Any) -> str:
    with pytest.raises(BackupError) as refused:
        check(given, ARCHIVE, PLACE)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1_000
    return str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kind": QUEUE, "rows": {"embedding_tasks": 2**63 - 1}},
        {"bytes": 2**63 - 1, "server": 9},
        {"server": 99, "migrations": {}},
        {"made_at": "2026-01-31T12:00:00Z"},
        {"database": ""},
        {"database": "日本" * 31},
    ],
)
def test_the_manifest_of_a_backup_is_valid(changes: dict[str, Any]) -> None:
    if "kind" in changes:
        changes = changes | {"rows": {server.queue_tables()[0]: 2**63 - 1}}
    assert check(fields(**changes), ARCHIVE, PLACE) == fields(**changes)


REFUSED: dict[str, list[Any]] = {
    "file": ["other.dump", "../a.dump", None, 1],
    "sha256": ["", "0" * 63, "0" * 65, "A" * 64, "0" * 63 + "\n", None],
    "bytes": [0, -1, 2**63, 1.0, True, "1", None],
    "kind": ["", "Whole", None, [], 0],
    "made_at": [
        "2026-01-31T12:00:00",
        "2026-13-01T00:00:00Z",
        "",
        "now" * 10,
        0,
        "2026-01-31T12:00:00+00:00\n",
    ],
    "database": ["x" * 64, "a\nb", "\x1b", None, "\u202e"],
    "server": [8, 100, "17", 17.0, None],
    "migrations": [[], None, {"9a": "0001"}, {"a": "-x"}, {"a": "x y"}, {"a": 1}, {"a" * 101: "x"}],
    "rows": [
        {},
        [],
        None,
        {"a b": 1},
        {'a"': 1},
        {"9": 1},
        {"a" * 64: 1},
        {"a": -1},
        {"a": True},
        {"a": "1"},
    ],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values]
)
def test_another_value_is_refused_with_its_field(name: str, value: Any) -> None:
    assert name in refusal(fields(**{name: value}))


@pytest.mark.parametrize("name", [name for name in fields() if name != "format"])
def test_a_field_that_is_missing_is_named(name: str) -> None:
    given = fields()
    del given[name]
    assert name in refusal(given)


@pytest.mark.parametrize("value", [0, 2, "1", 1.0, True, None, [1], {}])
def test_another_format_is_refused(value: Any) -> None:
    assert "format" in refusal(fields(format=value))


@pytest.mark.parametrize("given", [None, [], "text", 1])
def test_a_manifest_that_is_not_an_object_is_refused(given: str | int | list[Any] | None) -> None:
    assert "object" in refusal(given)


def test_an_unknown_field_is_named_and_cannot_act_on_a_terminal() -> None:
    said = refusal(fields(**{"x\x1b[2J" + "y" * 10_000: 1}))
    assert "unknown" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("value", ["x" * 10_000, "\x1b[2J\u202e", ["x" * 100] * 100, {"a": {"b": [1] * 100}}])
def test_a_value_is_quoted_in_short_and_hides_nothing(value: str | list[str] | dict[str, Any]) -> None:
    assert len(shown(value)) < 500
    assert shown(value).isprintable()


def test_ten_thousand_tables_are_enough() -> None:
    assert check(fields(rows={f"t{n}": 0 for n in range(10_000)}), ARCHIVE, PLACE)
    assert "rows" in refusal(fields(rows={f"t{n}": 0 for n in range(10_001)}))


def test_queues_have_tables_of_the_queue_alone() -> None:
    assert "articles" in refusal(fields(kind=QUEUE))


@pytest.mark.parametrize(("name", "is_one"), [("a", True), ("_A9", True), ("a" * 63, True), ("a-b", False)])
def test_a_table_s_name_means_the_same_quoted_or_not(name: str, is_one: bool) -> None:
    assert (TABLE.fullmatch(name) is not None) is is_one
