"""The sentences of health: what is wrong, since when, and how to end it; pure."""

from dataclasses import replace
from typing import Any

import pytest

from queueops.base.table_locks import TableLock
from queueops.models.metric import STATUS_STEP
from queueops.monitoring import health_sentences
from queueops.monitoring.provider_status import ProviderStatus
from tests.queueops.monitoring.test_health import WELL

LOCK = TableLock("articles", 7, "psql", "AccessExclusiveLock", 90.0, 0, [])
TERMINATE = "SELECT pg_terminate_backend({})"


def lock(**changes: Any) -> str:
    return health_sentences.of_lock(replace(LOCK, **changes))


def test_a_lock_names_the_table_the_session_and_the_command_that_ends_it() -> None:
    assert lock() == (
        f"The table articles is locked by psql (pid 7) for 90 s. To end it: {TERMINATE.format(7)}, in psql."
    )


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"seconds": None}, "by psql (pid 7). To end it"),
        ({"mode": "ShareLock"}, "For writers, the table articles is locked by"),
        ({"mode": "rows"}, "Rows of articles are locked by"),
        ({"waiting": 1}, "; 1 session waits for it."),
        ({"waiting": 1_200}, "; 1,200 sessions wait for it."),
        ({"behind": [8, 9]}, ", which itself waits for pid 8, 9."),
        ({"application": ""}, "by a session (pid 7)"),
        ({"application": "psql@db1.example"}, "by psql (pid 7)"),
    ],
)
def test_a_lock_is_shown_with_what_is_known_of_it(changes: dict[str, Any], part: str) -> None:
    assert part in lock(**changes)


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"behind": [8]}, [8]),
        ({"behind": [8], "roots": [9, 10]}, [9, 10]),
        ({"behind": [], "roots": []}, [7]),
    ],
)
def test_the_session_to_end_is_the_one_that_waits_for_nobody(
    changes: dict[str, Any], ends: list[int]
) -> None:
    assert f"To end it: {', '.join(map(TERMINATE.format, ends))}, in psql." in lock(**changes)


@pytest.mark.parametrize("pid", [None, 0])
def test_a_prepared_transaction_is_rolled_back(pid: int | None) -> None:
    sentence = lock(pid=pid)
    assert "is locked by a prepared transaction for" in sentence
    assert sentence.endswith("To end it: ROLLBACK PREPARED, by pg_prepared_xacts, in psql.")


@pytest.mark.parametrize(
    ("is_read_only", "refusal", "parts"),
    [
        (False, "", []),
        (True, "", ["The database is read-only (25006)"]),
        (True, "53100 disk full", ["The database is read-only (25006)"]),
        (False, "53100 disk full.", ["accepted no vectors for 5 min (53100 disk full): workers keep theirs"]),
    ],
)
def test_a_database_that_takes_no_vectors_is_one_sentence_with_the_cause(
    is_read_only: bool, refusal: str, parts: list[str]
) -> None:
    sentences = list(health_sentences.of_storage(is_read_only, refusal, 300.0))
    assert len(sentences) == len(parts)
    assert all(part in sentence for part, sentence in zip(parts, sentences, strict=True))


def test_only_the_step_that_reports_a_worker_says_that_it_does_not_count() -> None:
    assert health_sentences.of_step("sweep", "disk full.") == "Workers cannot sweep (disk full)."
    assert health_sentences.of_step(STATUS_STEP, "locked") == (
        f"Workers cannot {STATUS_STEP} (locked), so they do not count as alive."
    )


@pytest.mark.parametrize(
    ("rows", "start"),
    [("3", "row 3 of embedding_worker_status has"), ("3, 4", "rows 3, 4 of embedding_worker_status have")],
)
def test_the_brake_names_its_rows_and_the_command_that_releases_it(rows: str, start: str) -> None:
    sentence = health_sentences.brake(replace(WELL, brake_rows=rows))
    assert sentence.startswith(f"{start} is_running = false")
    assert "To start: " in sentence
    assert sentence.endswith("manage.py queue_admin start")


@pytest.mark.parametrize(
    ("waiting", "part"),
    [
        (0, "2 times in the last ten minutes. See"),
        (1, "; 1 task they held will be retried in small batches. See"),
        (1_500, "; 1,500 tasks they held will be retried in small batches. See"),
    ],
)
def test_lost_workers_are_counted_with_the_tasks_they_held(waiting: int, part: str) -> None:
    assert part in health_sentences.of_lost_workers(replace(WELL, workers_lost_10m=2, lost_waiting=waiting))


OUT: Any = {"breaker": "open", "out_for": 300.0, "retry_in": 12.0}


@pytest.mark.parametrize(
    ("fields", "sentences"),
    [
        ({}, []),
        (OUT, ["The provider openai has not responded for 5 min; next attempt in 12 s."]),
        (
            OUT | {"last_error": "answered 503."},
            ["The provider openai has not responded for 5 min (answered 503); next attempt in 12 s."],
        ),
        (
            {"breaker": "half_open"},
            ["The provider openai has not responded for 0 s; next attempt in 0 s."],
        ),
        ({"blocked_for": 130.0}, ["The provider openai is at its rate limit; next request in 2 min."]),
        ({"blocked_for": 0.0}, []),
        (
            {"is_spent": True},
            ["Today's token budget for openai is spent; the backfill waits until midnight UTC."],
        ),
    ],
)
def test_a_provider_has_a_sentence_for_each_thing_that_blocks_it(
    fields: dict[str, Any], sentences: list[str]
) -> None:
    assert list(health_sentences.of_provider(ProviderStatus("openai", **fields))) == sentences


def test_everything_that_blocks_a_provider_is_said() -> None:
    provider = ProviderStatus("openai", blocked_for=5.0, is_spent=True, **OUT)
    assert len(list(health_sentences.of_provider(provider))) == 3


@pytest.mark.parametrize(
    ("who", "reason", "words"),
    [
        ("", "", ""),
        ("ada", "", " by ada"),
        ("", "no money.", ": no money"),
        ("ada", "no money.", " by ada: no money"),
    ],
)
def test_the_actor_and_the_reason_are_shown_as_far_as_known(who: str, reason: str, words: str) -> None:
    assert health_sentences.by(replace(WELL, changed_by=who, reason=reason)) == words
    assert health_sentences.mode_by(replace(WELL, mode_changed_by=who, mode_reason=reason)) == words


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 tasks are"), (1, "1 task is"), (1_000, "1,000 tasks are")]
)
def test_a_count_agrees_with_its_verb(number: int, words: str) -> None:
    assert health_sentences.count_of(number, "task") == words
