"""No order of events loses a text or leaves invalid rows: a random walk compared with a model."""

import hashlib
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from typing import Any

import hypothesis
import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from articles.models import Article
from embeddings.indexing.render import Rendered, Source, render
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.storage import vectors
from queueops.engine import claims
from queueops.engine.claims import Claim, Claimed
from queueops.engine.results import Batch, Effort, Failure, Success
from queueops.engine.retry_policy import Decision, Verdict
from queueops.engine.settling_in_parts import settle
from queueops.maintenance import cleanup, drift, reaper
from queueops.models import Outcome, QueueState, Task, Worker
from queueops.monitoring import invariant_check
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from queueops.worker import leases
from tests.queueops.factories import make_article, make_space, make_worker

# Seconds. The clock moves in steps of 20, so nothing ends within ten seconds of a step: a slow machine changes nothing.
LEASE, DELAY, STEP = 50, 30, 20
ATTEMPTS = 2
MOST_ARTICLES = 2
TITLE = "T"
TEXTS = ["", "One short text.", "Another one.", "A long text, cut in pieces. " * 6]
ENDS = ["embed", "retry", "defer", "park"]
ACTS: list[tuple[str, ...]] = [
    ("cancel",), ("requeue",), ("delete",), ("stop_worker",), ("claim_under_brakes", "pause"),
    ("claim_under_brakes", "first"), ("fail_by_sql", "pending"), ("fail_by_sql", "processing"),
    ("reset_by_sql", "processing"), ("reset_by_sql", "failed"), ("reset_by_sql", "completed"),
    *(("edit_by_sql", text) for text in TEXTS[:2]),
]  # fmt: skip
WHICH = st.integers(0, 5)  # one of those there are, counted round and round
LIVE, PARKED = {"pending", "processing"}, {"failed", "cancelled"}


@dataclass
class Expected:
    """A task in the model; `text` is its article's text."""

    article: int
    text: str
    version: int
    status: str = "pending"
    outcome: str = ""
    attempts: int = 0
    due_in: int = 0
    lease_left: int = 0
    token: uuid.UUID | None = None
    holder: str = ""
    is_alone: bool = False
    turn: int = 0  # the higher, the later it was claimed

    def end(self, status: str, outcome: str = "") -> None:
        self.status, self.outcome, self.token = status, outcome, None

    def wait(self, seconds: int = 0) -> None:
        self.end("pending")
        self.due_in = seconds


@dataclass
class Text:
    """An article as the model has it; `embedded` is the text of its vectors, None before the first."""

    content: str
    version: int = 1
    embedded: str | None = None


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.space = make_space(chunk_tokens=20)
        self.workers = [make_worker(name="first"), make_worker(name="second")]
        self.texts: dict[int, Text] = {}
        self.tasks: dict[int, Expected] = {}
        self.claims: list[Claim] = []

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                self.come_to_rest()
        finally:
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    # what people do to articles

    @rule(which=WHICH, content=st.sampled_from(TEXTS))
    def write(self, which: int, content: str) -> None:
        if self.texts and (which % 3 or len(self.texts) == MOST_ARTICLES):
            self.edit(self.article(which), content)
        else:
            self.create(content)

    def create(self, content: str) -> None:
        article = make_article(TITLE, content)
        self.texts[article.pk] = Text(content)
        self.expect_enqueued(article.pk)

    def edit(self, pk: int, content: str) -> None:
        article = Article.objects.get(pk=pk)
        article.content = content
        article.save()
        text = self.texts[article.pk]
        text.version += text.content != content
        text.content = content
        self.expect_enqueued(article.pk)

    def edit_by_sql(self, pk: int, content: str) -> None:
        execute("UPDATE articles SET content = %s WHERE id = %s", content, pk)
        self.texts[pk].content = content

    def delete(self, pk: int) -> None:
        Article.objects.get(pk=pk).delete()
        del self.texts[pk]
        self.tasks = {key: task for key, task in self.tasks.items() if task.article != pk}

    # what workers do

    @rule(worker=st.sampled_from([0, 1]), size=st.integers(1, 4))
    def claim(self, worker: int, size: int) -> None:
        row = self.workers[worker]
        due = {key for key, task in self.tasks.items() if task.status == "pending" and task.due_in <= 0}
        lost = Task.objects.filter(error_class="worker_lost", pk__in=due)
        due -= set(lost.filter(losses__gte=2).values_list("pk", flat=True))
        has_lost = lost.exists()
        claim = claims.claim_due(self.space, size, row.pk, row.name)
        taken = {task.task_id for task in claim.tasks}
        assert taken <= due
        if not has_lost:
            assert bool(taken) == bool(due)
        if not has_lost and all(self.tasks[key].due_in > -300 for key in due):  # none has aged
            assert len(taken) == min(size, len(due))
        self.expect_held(claim, row.name)

    @rule(worker=st.sampled_from([0, 1]), size=st.integers(1, 2))
    def claim_on_trial(self, worker: int, size: int) -> None:
        row = self.workers[worker]
        claim = claims.claim_on_trial(self.space, size, row.pk, row.name)
        self.expect_held(claim, row.name)
        if len(claim.tasks) == 1 and claims.mark_alone(claim):
            self.tasks[claim.tasks[0].task_id].is_alone = True

    @precondition(lambda self: self.texts)
    @rule(which=WHICH)
    def claim_for_a_request(self, which: int) -> None:
        pk = self.article(which)
        claim = claims.claim_of_articles(self.space, [pk], "request")
        assert {task.task_id for task in claim.tasks} == set(self.of_article(pk, {"pending"}))
        self.expect_held(claim, "request")

    @precondition(lambda self: self.claims)
    @rule(which=WHICH, ends=st.lists(st.sampled_from(ENDS), min_size=1, max_size=3))
    def settle(self, which: int, ends: list[str]) -> None:
        """Any claim ever taken, so many are of zombies."""
        claim = self.claims[-1 - which % len(self.claims)]
        rendered = [render(self.space, task.source) for task in claim.tasks]
        results = [
            result_of(task, text, end)
            for task, text, end in zip(claim.tasks, rendered, cycle(ends), strict=False)
        ]
        made = {text_hash: vector_of(text_hash) for text in rendered for text_hash in text.hashes}
        settled = settle(Batch(claim, results, made, Effort()))
        ours = [result for result in results if self.is_held(result.task.task_id, claim.token)]
        assert settled.lost == len(results) - len(ours)
        for result in sorted(ours, key=lambda result: isinstance(result, Failure)):
            self.expect_settled(result)

    @precondition(lambda self: self.claims)
    @rule(which=WHICH)
    def heartbeat(self, which: int) -> None:
        token = self.claims[-1 - which % len(self.claims)].token
        held = [task for key, task in self.tasks.items() if self.is_held(key, token)]
        assert leases.renew([token]) == ({token} if held else set())
        for task in held:
            task.lease_left = LEASE

    def stop_worker(self, _pk: int) -> None:
        name = self.workers[0].name
        reaper.release_held(name)
        held = {key: t for key, t in self.tasks.items() if t.status == "processing" and t.holder == name}
        for task in held.values():
            task.attempts -= 1
        self.expect_returned(held, may_park=False)

    # what time and the sweep do

    @rule(
        steps=st.integers(0, 4),
        then=st.sampled_from(["claim_again", "return_expired", "seek_drift", "prune"]),
    )
    def advance_and(self, steps: int, then: str) -> None:
        self.advance(steps)
        getattr(self, then)()

    def advance(self, steps: int) -> None:
        by = timedelta(seconds=steps * STEP)
        execute(
            "UPDATE embedding_tasks SET scheduled_at = scheduled_at - %s, lease_expires_at = lease_expires_at - %s",
            by,
            by,
        )
        for task in self.tasks.values():
            task.due_in -= steps * STEP
            task.lease_left -= steps * STEP

    def return_expired(self) -> None:
        reaper.return_expired()
        expired = {k: t for k, t in self.tasks.items() if t.status == "processing" and t.lease_left < 0}
        charged = dict(Task.objects.filter(pk__in=expired).values_list("pk", "attempts"))
        for key, task in expired.items():
            # whether others were lost as well, which clears it, is not modelled
            task.is_alone = task.is_alone and charged[key] == task.attempts
            task.attempts -= not task.is_alone
        self.expect_returned(expired, may_park=True)

    def claim_again(self) -> None:
        """The tasks held now belong to another worker, and the former one is a zombie."""
        self.return_expired()
        self.claim(1, 4)

    def seek_drift(self) -> None:
        drift.enqueue_drift()
        for pk, text in self.texts.items():
            parked = [self.tasks[key].text for key in self.of_article(pk, PARKED)]
            if not self.of_article(pk, LIVE) and text.content not in parked:
                self.expect_enqueued(pk)

    def prune(self) -> None:
        cleanup.clean(timedelta(0))
        self.tasks = {key: task for key, task in self.tasks.items() if task.status != "completed"}

    # what operators do

    @precondition(lambda self: self.texts)
    @rule(which=WHICH, act=st.sampled_from(ACTS))
    def operate(self, which: int, act: tuple[str, ...]) -> None:
        name, *arguments = act
        getattr(self, name)(self.article(which), *arguments)

    def claim_under_brakes(self, _pk: int, brake: str) -> None:
        """While the queue is paused, or the worker is stopped."""
        QueueState.objects.update(is_paused=brake == "pause")
        Worker.objects.filter(name=brake).update(is_running=False)
        assert not claims.claim_due(self.space, 4, self.workers[0].pk, "first").tasks
        QueueState.objects.update(is_paused=False)
        Worker.objects.update(is_running=True)

    def cancel(self, pk: int) -> None:
        operations.cancel(TaskFilter(article=pk), actor="ada", reason="a drill")
        for key in self.of_article(pk, LIVE):
            self.tasks[key].end("cancelled")

    def requeue(self, pk: int) -> None:
        operations.requeue(TaskFilter(article=pk), actor="ada", reason="a drill")
        parked = self.of_article(pk, PARKED)
        if parked and not self.of_article(pk, {"pending"}):
            task, text = self.tasks[max(parked)], self.texts[pk]
            task.wait()
            task.attempts, task.text, task.version = 0, text.content, text.version

    def fail_by_sql(self, pk: int, was: str) -> None:
        execute("UPDATE embedding_tasks SET status = 'failed' WHERE article_id = %s AND status = %s", pk, was)
        for key in self.of_article(pk, {was}):
            self.tasks[key].end("failed", "failed")

    def reset_by_sql(self, pk: int, was: str) -> None:
        found = self.of_article(pk, {was})
        execute(
            "UPDATE embedding_tasks SET status = 'pending' WHERE article_id = %s AND status = %s", pk, was
        )
        waits = set(Task.objects.pending().filter(pk__in=found).values_list("pk", flat=True))
        assert len(waits) == (bool(found) and not self.of_article(pk, {"pending"}))
        for key in found:
            task = self.tasks[key]
            if key in waits:
                task.wait(task.due_in)
                task.attempts *= task.attempts < ATTEMPTS
            else:  # another one waits
                task.end("completed", "superseded")

    # the model

    def article(self, which: int) -> int:
        return list(self.texts)[which % len(self.texts)]

    def of_article(self, pk: int, statuses: set[str]) -> list[int]:
        return [key for key, task in self.tasks.items() if task.article == pk and task.status in statuses]

    def is_held(self, key: int, token: uuid.UUID) -> bool:
        return key in self.tasks and self.tasks[key].token == token

    def is_in_work(self, pk: int) -> bool:
        """Whether a worker whose lease runs holds a task about just this text and version."""
        text = self.texts[pk]
        held = [self.tasks[key] for key in self.of_article(pk, {"processing"})]
        return any(
            (task.text, task.version) == (text.content, text.version) and task.lease_left > 0 for task in held
        )

    def expect_enqueued(self, pk: int) -> None:
        text = self.texts[pk]
        if text.embedded == text.content or self.is_in_work(pk):
            return
        key = Task.objects.pending().get(article=pk).pk
        task = self.tasks.setdefault(key, Expected(pk, text.content, text.version))
        assert task.status == "pending"
        task.text, task.version, task.attempts = text.content, text.version, 0
        task.due_in = min(task.due_in, 0)

    def expect_held(self, claim: Claim, holder: str) -> None:
        for claimed in claim.tasks:
            task = self.tasks[claimed.task_id]
            text = self.texts[task.article]
            task.status, task.token, task.holder = "processing", claim.token, holder
            task.text, task.version, task.turn = text.content, text.version, len(self.claims)
            task.attempts, task.lease_left, task.is_alone = task.attempts + 1, LEASE, False
        if claim.tasks:
            self.claims.append(claim)

    def expect_settled(self, result: Success | Failure) -> None:
        task = self.tasks[result.task.task_id]
        text = self.texts[task.article]
        ends = isinstance(result, Success) or result.decision.verdict is Verdict.PARK
        if ends and (task.text, task.version) != (text.content, text.version):
            self.expect_overtaken(task, text)
        elif isinstance(result, Success):
            text.embedded = task.text
            task.end("completed", result.outcome)
        elif result.decision.verdict is Verdict.PARK:
            task.end("failed", "failed")
        else:
            task.attempts -= result.decision.verdict is Verdict.DEFER
            if self.of_article(task.article, {"pending"}):
                task.end("completed", "superseded")
            else:
                task.wait(DELAY)

    def expect_overtaken(self, task: Expected, text: Text) -> None:
        others = [
            other for other in self.tasks.values() if other.article == task.article and other is not task
        ]
        is_brought = any(
            other.status == "pending"
            or (other.status in {"processing", "failed", "cancelled"} and other.text == text.content)
            for other in others
        )
        if is_brought or text.embedded == text.content:
            task.end("completed", "superseded")
        else:
            task.wait()
            task.text, task.version, task.attempts = text.content, text.version, 0

    def expect_returned(self, given_back: dict[int, Expected], may_park: bool) -> None:
        """Of an article's tasks one goes back, unless one waits already: with attempts left, claimed last."""

        def best(item: tuple[int, Expected]) -> tuple[Any, ...]:
            return may_park and item[1].is_alone and item[1].attempts >= ATTEMPTS, -item[1].turn

        taken_care_of = {task.article for task in self.tasks.values() if task.status == "pending"}
        for _, task in sorted(given_back.items(), key=best):
            if task.article in taken_care_of:
                task.end("completed", "superseded")
            elif may_park and task.is_alone and task.attempts >= ATTEMPTS:
                task.end("failed", "failed")
            else:
                task.wait()
            taken_care_of.add(task.article)

    # what must be after every step, and at rest

    @invariant()
    def all_is_as_expected(self) -> None:
        assert not [str(breach) for breach in invariant_check.broken(at_rest=False)]
        self.tasks_are_as_expected()
        self.vectors_are_as_expected()

    def tasks_are_as_expected(self) -> None:
        rows = Task.objects.values_list("pk", "status", "outcome", "attempts", "claim_token", "content_hash")
        assert {row[0]: row[1:] for row in rows} == {
            key: (task.status, task.outcome, task.attempts, task.token, hash_of(task.text))
            for key, task in self.tasks.items()
        }

    def vectors_are_as_expected(self) -> None:
        assert set(stored()) == {
            row
            for pk, text in self.texts.items()
            if text.embedded is not None
            for row in self.rows_of(pk, text.embedded)
        }

    def rows_of(self, pk: int, content: str) -> Iterator[tuple[int, int, int, Any]]:
        rendered = render(self.space, Source(pk, 1, hash_of(content), TITLE, content))
        if not rendered.chunks:
            yield pk, 0, 0, None
        for index, text_hash in enumerate(rendered.hashes):
            yield pk, index, len(rendered.hashes), vector_of(text_hash)

    def come_to_rest(self) -> None:
        self.seek_drift()
        while any(task.status in LIVE for task in self.tasks.values()):
            self.advance(4)
            self.return_expired()
            self.claim(0, 4)
            self.settle(0, ["embed"])
            self.claim_on_trial(0, 2)
            self.settle(0, ["embed"])
            self.seek_drift()
        assert not [str(breach) for breach in invariant_check.broken(at_rest=True)]
        self.tasks_are_as_expected()
        self.vectors_are_as_expected()
        for pk, text in self.texts.items():
            reasons = {self.tasks[key].text for key in self.of_article(pk, PARKED)}
            assert text.embedded == text.content or text.content in reasons


def result_of(task: Claimed, rendered: Rendered, end: str) -> Success | Failure:
    if end == "embed":
        return Success(task, rendered, Outcome.EMBEDDED if rendered.chunks else Outcome.EMPTY)
    if end == "retry" and task.attempts >= task.max_attempts:
        end = "park"
    kind = ErrorClass.INVALID_INPUT if end == "park" else ErrorClass.TRANSIENT
    return Failure(task, ProviderError(kind, "a drill"), Decision(Verdict(end), DELAY))


def hash_of(content: str) -> uuid.UUID:
    """As the database makes articles.content_hash."""
    return uuid.UUID(hashlib.md5(f"{TITLE}\x1f{content}".encode()).hexdigest())


def vector_of(text_hash: bytes) -> bytes:
    """Made up, but always the same for a text."""
    return vectors.to_wire(np.frombuffer(text_hash[:8], np.uint8).astype(np.float32)[None, :] + 1)[0]


def stored() -> Iterator[tuple[int, int, int, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT article_id, chunk_index, chunk_count, vector_send(embedding) FROM article_embeddings"
        )
        for *keys, vector in cursor.fetchall():
            yield *keys, vector and bytes(vector)


def execute(statement: str, *arguments: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)


@pytest.fixture(autouse=True)
def limits(settings: Settings) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = LEASE * 1000
    settings.EMBEDDING_MAX_RETRIES = ATTEMPTS


@pytest.mark.django_db
@pytest.mark.parametrize("end", ENDS)
def test_a_walk_past_a_zombie(end: str) -> None:
    """One that the random walk may miss."""
    queue = Queue()
    queue.write(0, TEXTS[1])
    queue.claim(0, 4)
    queue.advance_and(3, "claim_again")
    queue.settle(1, [end])
    queue.all_is_as_expected()
    queue.teardown()


@pytest.mark.django_db
def test_a_walk_past_a_task_that_gave_way_and_was_put_back_by_sql() -> None:
    queue = Queue()
    queue.write(0, TEXTS[1])
    queue.claim(0, 4)
    queue.write(1, TEXTS[2])
    queue.settle(0, ["retry"])
    queue.claim(0, 4)
    queue.reset_by_sql(queue.article(0), "completed")
    queue.claim(1, 4)
    queue.all_is_as_expected()
    queue.teardown()


@pytest.mark.django_db
def test_whatever_happens_in_whatever_order_no_text_is_lost() -> None:
    run_state_machine_as_test(
        Queue,
        settings=hypothesis.settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            print_blob=True,
            # A failure's steps are printed as they came: making them fewer takes minutes. Add Phase.shrink to do so.
            phases=[Phase.reuse, Phase.generate],
        ),
    )
