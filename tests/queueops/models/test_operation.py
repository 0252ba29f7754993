"""An operation's row: how its counts move with each batch, and who is said to work on it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from articles.models import Article
from queueops.models import AuditLog, Event, Operation, OperationStatus, Verb
from queueops.models.operation import BUSY, MOVED_ON, TAKEN
from tests.concurrently import another_session

MOMENT = datetime(2026, 1, 31, tzinfo=UTC)


def make_operation(**fields: Any) -> Operation:
    return Operation(**{"verb": Verb.CANCEL, "actor": "ada", "reason": "a drill"} | fields)


@pytest.mark.parametrize("verb", list(Verb))
def test_each_verb_has_a_word_for_its_audit_rows_that_programs_know(verb: Verb) -> None:
    operation = make_operation(verb=verb)
    assert operation.event in Event
    assert operation.message == f"tasks {verb.acted}"
    assert operation.event == verb.acted


@pytest.mark.parametrize(
    ("answers", "is_last", "moved"),
    [
        ({1: TAKEN, 2: TAKEN, 3: TAKEN}, False, (3, 3, {}, [])),
        ({1: TAKEN, 2: "retired", 3: "retired"}, False, (3, 1, {"retired": 2}, [])),
        ({1: TAKEN, 2: BUSY, 3: TAKEN}, False, (3, 2, {}, [2])),
        ({1: TAKEN}, False, (3, 1, {}, [2, 3])),  # silence is busy
        ({}, False, (3, 0, {}, [1, 2, 3])),
        ({1: TAKEN, 2: TAKEN, 3: TAKEN, 9: TAKEN}, False, (3, 3, {}, [])),  # of no task of the batch
        ({1: TAKEN, 2: TAKEN, 3: BUSY}, True, (10, 2, {}, [3])),
    ],
)
def test_a_batch_moves_the_cursor_and_the_counts(
    answers: dict[int, str], is_last: bool, moved: tuple[int, int, dict[str, int], list[int]]
) -> None:
    operation = make_operation(last_id=10)
    operation.advance([1, 2, 3], answers, is_last=is_last)
    assert (operation.cursor, operation.changed, operation.skips, operation.passed_over) == moved
    assert operation.skipped == sum(operation.skips.values())
    assert operation.is_through is is_last


def test_counts_add_up_over_batches() -> None:
    operation = make_operation(last_id=4)
    operation.advance([1, 2], {1: TAKEN, 2: "retired"}, is_last=False)
    operation.advance([3, 4], {3: "retired", 4: "gone"}, is_last=True)
    assert (operation.changed, operation.skipped) == (1, 3)
    assert operation.skips == {"retired": 2, "gone": 1}
    assert operation.progress == (4, 4, 0)


def test_what_was_passed_over_has_its_turn_once_all_others_had_theirs() -> None:
    operation = make_operation(last_id=9, cursor=9, passed_over=[3, 5, 7])
    operation.advance([3, 5], {3: TAKEN, 5: BUSY}, is_last=True)
    assert (operation.cursor, operation.changed, operation.passed_over) == (9, 1, [7, 5])
    operation.advance([7, 5], {7: "gone", 5: TAKEN}, is_last=True)
    assert (operation.passed_over, operation.skips, operation.changed) == ([], {"gone": 1}, 2)


def test_each_batch_moves_the_progress() -> None:
    operation = make_operation(last_id=9)
    seen = [operation.progress]
    for ids, answers in (([1], {1: BUSY}), ([2], {2: TAKEN}), ([9], {9: "gone"})):
        operation.advance(ids, answers, is_last=ids == [9])
        seen.append(operation.progress)
    operation.advance([1], {1: TAKEN}, is_last=True)
    assert len({*seen, operation.progress}) == 5


def test_an_operation_about_nothing_is_through_at_once() -> None:
    assert make_operation().is_through


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("counts", "total", "skips"),
    [
        ({"total": 3, "changed": 3}, 3, {}),
        ({"total": 5, "changed": 2, "skipped": 1, "skips": {"gone": 1}}, 5, {"gone": 1, MOVED_ON: 2}),
        ({"total": 2, "changed": 0, "skipped": 1, "skips": {MOVED_ON: 1}}, 2, {MOVED_ON: 2}),
        ({"total": 1, "changed": 2}, 2, {}),  # more than was counted
    ],
)
def test_at_its_end_every_task_is_changed_or_skipped(
    counts: dict[str, Any], total: int, skips: dict[str, int]
) -> None:
    operation = make_operation(**counts)
    operation.finish(OperationStatus.DONE, by="bob")
    operation.refresh_from_db()
    assert (operation.status, operation.total, operation.skips) == ("done", total, skips)
    assert operation.total == operation.changed + operation.skipped
    assert operation.finished_at
    row = AuditLog.objects.get(operation_id=operation.pk)
    assert (row.actor, row.event, row.metadata["tasks"]) == ("bob", "cancelled", operation.changed)
    assert row.metadata["skipped"] == operation.skipped


@pytest.mark.django_db
def test_a_stopped_operation_keeps_its_counts_and_is_audited() -> None:
    operation = make_operation(total=5, changed=2)
    operation.finish(OperationStatus.CANCELLED, by="bob")
    assert (operation.total, operation.skipped, operation.skips) == (5, 0, {})
    assert "stopped" in AuditLog.objects.get().message


@pytest.mark.django_db
def test_its_audit_row_has_the_filter_the_priority_and_what_it_undoes() -> None:
    first = make_operation(verb=Verb.PRIORITIZE, priority="high", scope={"slug": "a"})
    first.finish(OperationStatus.DONE, by="ada")
    make_operation(verb=Verb.UNDO, undoes=first).finish(OperationStatus.DONE, by="ada")
    assert list(AuditLog.objects.order_by("id").values_list("metadata__scope", flat=True)) == [
        {"verb": "prioritize", "slug": "a", "priority_to": "high"},
        {"verb": "undo", "undoes": str(first.pk)},
    ]


@pytest.mark.django_db(transaction=True)
def test_one_session_attends_to_it_and_when_that_is_gone_nobody_does() -> None:
    operation = make_operation()
    operation.save()
    assert (operation.attendant(), operation.state) == (None, "interrupted")
    with another_session() as other:
        other.execute("SET application_name = 'another shell'")
        other.execute(
            "SELECT pg_advisory_lock(hashtext('queueops.operate.operations'), hashtext(%s))",
            [str(operation.pk)],
        )
        assert not operation.attend()
        assert (operation.attendant(), operation.state) == ("another shell", "running")
        other.commit()
        other.execute("SELECT pg_advisory_unlock_all()")
    assert operation.attend()
    operation.leave()
    assert operation.as_dict()["state"] == "interrupted"


@pytest.mark.django_db(transaction=True)
def test_attending_one_operation_attends_no_other() -> None:
    mine, other = make_operation(), make_operation()
    assert mine.attend()
    assert mine.is_attended()
    assert not other.is_attended()
    mine.leave()


@pytest.mark.django_db
def test_its_report_goes_into_json_by_stable_names() -> None:
    told = make_operation(status="done").as_dict()
    assert set(told) == {
        "id", "verb", "actor", "reason", "scope", "priority", "total", "changed", "skipped", "skips", "started_at",
        "updated_at", "finished_at", "state", "undoes",
    }  # fmt: skip
    assert (told["state"], told["undoes"]) == ("done", None)


@pytest.mark.parametrize(
    ("newest", "created", "was_there"),
    [
        (7, 1, True),
        (8, 1, True),
        (6, -1, False),
        (0, -1, False),
        (None, -1, True),
        (None, 0, True),
        (None, 1, False),
    ],
)
def test_an_article_was_there_by_its_id_or_else_by_its_date(
    newest: int | None, created: int, was_there: bool
) -> None:
    operation = make_operation(newest_article=newest, started_at=MOMENT)
    article = Article(pk=7, created_at=MOMENT + timedelta(seconds=created))
    assert operation.was_there(article) is was_there


def make_migration(**fields: Any) -> Operation:
    return Operation.objects.create(**{"verb": Verb.MIGRATE, "actor": "ada", "reason": "a drill"} | fields)


EARLIER = Now() - timedelta(hours=1)


@pytest.mark.django_db
def test_without_a_migration_there_is_no_newest_stage() -> None:
    make_operation(is_stage=True).save()
    assert Operation.objects.newest_stage() is None


@pytest.mark.django_db
@pytest.mark.parametrize("fields", [{"is_stage": True}, {"status": "cancelled"}])
def test_a_migration_of_several_stages_or_one_that_was_stopped_is_the_newest_stage(
    fields: dict[str, Any],
) -> None:
    migration = make_migration(**fields)
    assert Operation.objects.newest_stage() == migration


@pytest.mark.django_db
def test_a_whole_migration_that_came_later_ends_the_stages() -> None:
    make_migration(is_stage=True, started_at=EARLIER)
    make_migration(status="done")
    assert Operation.objects.newest_stage() is None


@pytest.mark.django_db
def test_a_migration_of_what_failed_says_nothing_of_the_stages() -> None:
    stage = make_migration(is_stage=True, started_at=EARLIER)
    make_migration(status="done", scope={"only_failed": True})
    assert Operation.objects.newest_stage() == stage


@pytest.mark.django_db
def test_the_newest_come_first_and_the_running_are_distinguished() -> None:
    old = Operation.objects.create(verb="cancel", status="done", started_at=Now() - timedelta(days=1))
    new = Operation.objects.create(verb="cancel")
    assert list(Operation.objects.newest_first()) == [new, old]
    assert list(Operation.objects.running()) == [new]
