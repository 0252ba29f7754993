"""The policy of each verb: which tasks are its, in which order, and what it says of those it does not change.

What its statement does to a task is in test_statements.py.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries

from embeddings.models import Space
from queueops.models import Operation, Priority, Status, Task, Verb
from queueops.models.operation import MOVED_ON, TAKEN
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate.operations import policies
from queueops.operate.operations.policies import POLICIES
from tests.queueops.factories import make_space, make_tasks
from tests.queueops.operate.backfill.test_run import make_corpus


def test_each_verb_has_one_policy_of_its_own() -> None:
    assert set(POLICIES) == set(Verb)
    assert all(policy.verb is verb for verb, policy in POLICIES.items())


def test_only_a_release_cannot_be_undone() -> None:
    assert [verb for verb, policy in POLICIES.items() if not policy.can_be_undone] == [Verb.RELEASE]


@pytest.mark.parametrize(
    ("verb", "wanted", "statuses"),
    [
        (Verb.REQUEUE, (), ["failed", "cancelled"]),
        (Verb.REQUEUE, ("cancelled",), ["cancelled"]),
        (Verb.REQUEUE, ("pending",), []),
        (Verb.CANCEL, (), ["pending", "processing"]),
        (Verb.CANCEL, ("processing", "failed"), ["processing"]),
        (Verb.PRIORITIZE, (), ["pending", "processing"]),
        (Verb.CLEAR, (), Status.values),
        (Verb.CLEAR, ("failed", "pending"), ["pending", "failed"]),
        (Verb.RELEASE, (), ["processing"]),
    ],
)
def test_a_verb_is_for_its_own_statuses_as_far_as_the_filter_names_them(
    verb: Verb, wanted: tuple[str, ...], statuses: list[str]
) -> None:
    assert POLICIES[verb].statuses_of(TaskFilter(statuses=wanted)) == statuses


def make_operation(verb: Verb, selection: TaskFilter | None = None, **fields: Any) -> Operation:
    scope = (selection or TaskFilter()).as_json()
    given = {"verb": verb, "actor": "ada", "reason": "a drill", "scope": scope, "started_at": Now()}
    operation = Operation.objects.create(**given | fields)
    operation.refresh_from_db()
    return operation


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


def test_of_an_operation_is_the_policy_of_its_verb_and_an_undone_migration_has_its_own(db: None) -> None:
    migration = make_operation(Verb.MIGRATE)
    assert policies.of(migration) is POLICIES[Verb.MIGRATE]
    assert policies.of(make_operation(Verb.UNDO, undoes=make_operation(Verb.CANCEL))) is POLICIES[Verb.UNDO]
    undo = policies.of(make_operation(Verb.UNDO, undoes=migration))
    assert undo.verb is Verb.CANCEL


def test_tasks_are_handled_in_the_order_of_their_ids_up_to_the_last_that_was_counted(space: Space) -> None:
    ids = [task.pk for task in make_tasks(5, space)]
    operation = make_operation(Verb.CANCEL)
    assert list(policies.ids(operation)) == ids
    assert list(policies.ids(operation, after=ids[1])) == ids[2:]
    assert list(policies.ids(operation, after=ids[-1])) == []
    operation.last_id = ids[3]
    assert list(policies.ids(operation, after=ids[1])) == ids[2:4]
    assert list(policies.ids(operation, among=[ids[4], ids[0], 10**9])) == [ids[0]]
    assert list(policies.ids(operation, among=[])) == []


def test_a_task_that_has_the_priority_already_is_not_a_candidate(space: Space) -> None:
    make_tasks(1, space, priority="high")
    [other] = make_tasks(1, space, priority="low")
    assert list(policies.ids(make_operation(Verb.PRIORITIZE, priority=Priority.HIGH))) == [other.pk]


@pytest.mark.parametrize(
    ("ended", "is_candidate"),
    [
        (timedelta(minutes=-1), True),
        (timedelta(minutes=1), True),  # ahead of now: written before, by another clock
        (None, True),  # by plain SQL
    ],
)
@pytest.mark.impossible_rows("a task that failed without a time")
def test_tasks_that_failed_before_the_operation_began_are_requeued(
    space: Space, ended: timedelta | None, is_candidate: bool
) -> None:
    make_tasks(1, space, Status.FAILED)
    Task.objects.update(completed_at=Now() + ended if ended else None)
    assert policies.ids(make_operation(Verb.REQUEUE)).exists() is is_candidate


def test_what_fails_after_it_began_is_not(space: Space) -> None:
    operation = make_operation(Verb.REQUEUE, started_at=Now() - timedelta(minutes=1))
    make_tasks(1, space, Status.FAILED, completed_at=Now() - timedelta(seconds=10))
    assert not policies.ids(operation).exists()


def test_an_age_is_counted_from_the_moment_the_operation_began(space: Space) -> None:
    operation = make_operation(
        Verb.CANCEL, TaskFilter(older_than=timedelta(hours=1)), started_at=Now() - timedelta(hours=5)
    )
    make_tasks(1, space, created_at=Now() - timedelta(hours=2))
    [old] = make_tasks(1, space, created_at=Now() - timedelta(hours=7), priority="low")
    assert list(policies.ids(operation)) == [old.pk]


def test_every_task_of_a_batch_has_an_answer(space: Space, rings: list[bool]) -> None:
    [failed], [done], [waiting] = (
        make_tasks(1, space, status) for status in ("failed", "completed", "cancelled")
    )
    Task.objects.create(article=waiting.article, space=space, slug=waiting.slug)
    operation = make_operation(Verb.REQUEUE)
    answers = POLICIES[Verb.REQUEUE].perform(operation, [failed.pk, done.pk, waiting.pk, 10**9])
    assert answers.keys() == {failed.pk, done.pk, waiting.pk, 10**9}
    assert (answers[failed.pk], answers[done.pk], answers[10**9]) == (TAKEN, MOVED_ON, MOVED_ON)
    assert "waits" in answers[waiting.pk]
    assert rings == [True]


def test_where_nothing_was_changed_nobody_is_rung_for(space: Space, rings: list[bool]) -> None:
    [done] = make_tasks(1, space, Status.COMPLETED)
    assert POLICIES[Verb.REQUEUE].perform(make_operation(Verb.REQUEUE), [done.pk]) == {done.pk: MOVED_ON}
    assert rings == []


def test_a_dry_run_counts_what_would_be_skipped_and_writes_nothing(space: Space) -> None:
    [task] = make_tasks(1, space, Status.FAILED)
    Task.objects.create(article=task.article, space=space, slug=task.slug)
    before = list(Task.objects.order_by("pk").values())
    [why] = POLICIES[Verb.REQUEUE].passed_over(make_operation(Verb.REQUEUE), [task.pk]).values()
    assert "waits" in why
    assert list(Task.objects.order_by("pk").values()) == before


def test_a_verb_that_passes_over_nothing_need_not_look(
    space: Space, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tasks = make_tasks(2, space)
    operation = make_operation(Verb.CANCEL)
    with django_assert_num_queries(0):
        assert POLICIES[Verb.CANCEL].passed_over(operation, [task.pk for task in tasks]) == {}


def test_a_migration_goes_through_articles_and_its_undo_through_the_tasks_it_made(space: Space) -> None:
    corpus = make_corpus(3)
    migration = make_operation(Verb.MIGRATE, priority="low")
    article_ids = list(policies.ids(migration))
    assert article_ids == [article.pk for article in corpus]
    assert POLICIES[Verb.MIGRATE].perform(migration, article_ids) == dict.fromkeys(article_ids, TAKEN)
    assert not policies.ids(migration).exists()
    make_tasks(1, space)
    queued = set(Task.objects.filter(metadata__operation=str(migration.pk)).values_list("pk", flat=True))
    assert len(queued) == 3
    undo = make_operation(Verb.UNDO, undoes=migration)
    assert set(policies.ids(undo)) == queued
    assert policies.of(undo).perform(undo, sorted(queued)) == dict.fromkeys(queued, TAKEN)
    assert not policies.ids(undo).exists()
