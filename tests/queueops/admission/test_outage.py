"""A provider that is down, busy, or refuses requests: what all workers do, over real HTTP."""

import math
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space
from queueops.admission import circuit_breaker, gate, rate_limiter
from queueops.base import shutdown
from queueops.engine import bisection
from queueops.models import AuditLog, Metric, ProviderState, QueueState, Task, Worker
from queueops.operate import controls
from queueops.worker.drain import Drained, drain
from tests.concurrently import together
from tests.providers import FakeProvider
from tests.queueops.conftest import NO_FAULTS
from tests.queueops.factories import make_article, make_space, make_tasks

pytestmark = pytest.mark.django_db
PAST = Now() - timedelta(seconds=1)
SOME_ROOM = timedelta(seconds=0.2)


@pytest.fixture(autouse=True)
def small_batches(settings: Settings, provider: FakeProvider) -> Iterator[None]:
    settings.EMBEDDING_BATCH_SIZE = 50
    provider.config(retry_after="1")
    yield
    provider.config(retry_after="1")


@pytest.fixture
def work(space: Space, worker: Worker) -> Callable[..., Drained]:
    """Works off all claimable tasks."""
    return lambda: drain(worker.pk, seconds=20)


@pytest.fixture
def fail(provider: FakeProvider) -> Callable[[str], object]:
    """Sets how every request ends from now on; resets the counters."""
    return lambda fault: provider.config(fail_next=[fault] * 500)


def state() -> ProviderState:
    return ProviderState.objects.get(name="openai")


def pass_interval() -> None:
    """For the breaker, and for the tasks of the batches that opened it."""
    ProviderState.objects.update(retry_at=PAST, blocked_until=None)
    Task.objects.pending().filter(scheduled_at__gt=Now()).update(scheduled_at=Now())


def untouched() -> bool:
    """Whether every task is pending without a trace of a claim."""
    return not Task.objects.exclude(status="pending", attempts=0, claim_token=None).exists()


def batches() -> list[float]:
    """How many tasks each batch had, in the order in which they were settled."""
    return list(Metric.objects.filter(name="batch_tasks").order_by("id").values_list("value", flat=True))


@pytest.mark.parametrize("fault", ["502", "503", "404"])
def test_an_outage_costs_three_requests_and_no_task_an_attempt(
    work: Callable[..., Drained],
    space: Space,
    provider: FakeProvider,
    fail: Callable[[str], object],
    fault: str,
) -> None:
    before = {task.pk: task.scheduled_at for task in make_tasks(300, space)}
    fail(fault)
    drained = work()
    assert drained.wait is not None
    assert 0 < drained.wait <= circuit_breaker.FIRST_INTERVAL
    for _ in range(20):
        work()
    assert provider.stats()["requests"] == circuit_breaker.FAILURES_TO_OPEN
    assert untouched()
    moved = [task.pk for task in Task.objects.all() if task.scheduled_at != before[task.pk]]
    assert len(moved) == 100  # those of the two batches before it was known


def test_a_provider_with_errors_of_its_own_is_left_alone_too_and_parks_nothing(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, fail: Callable[[str], object]
) -> None:
    make_tasks(30, space)
    fail("500")
    for _ in range(10):
        work()
        pass_interval()
    assert not Task.objects.exclude(status="pending").exists()
    assert set(Task.objects.values_list("attempts", flat=True)) == {2}  # before it was known to be out
    assert provider.stats()["max_batch"] == 30
    # three batches, then canaries, a harmless one each time, and once that in two other forms
    assert provider.stats()["texts"] == 3 * 30 + 7 + 10 + 2


def test_while_it_is_out_one_canary_an_interval_asks_and_the_interval_grows(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, fail: Callable[[str], object]
) -> None:
    make_tasks(300, space)
    fail("503")
    work()
    waits: list[float | None] = []
    for _ in range(4):
        pass_interval()
        provider.config()
        waits.append(work().wait)
        assert (provider.stats()["requests"], provider.stats()["texts"]) == (1, 1)
    assert [round(wait or 0) for wait in waits] == [4, 8, 16, 32]
    assert untouched()


def test_a_canary_that_failed_goes_behind_the_others_of_its_rank(
    work: Callable[..., Drained], space: Space, fail: Callable[[str], object]
) -> None:
    make_tasks(10, space)
    fail("503")
    sent = []
    ProviderState.objects.create(name="openai", breaker="open", failures=3, openings=1)
    for _ in range(3):
        pass_interval()
        work()
        sent.append(Task.objects.filter(processed_at__isnull=False).latest("processed_at").pk)
    assert len(set(sent)) == 3


def test_once_it_answers_one_text_goes_first_and_then_the_backlog(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, fail: Callable[[str], object]
) -> None:
    make_tasks(300, space)
    fail("503")
    work()
    provider.config(**NO_FAULTS)
    pass_interval()
    Metric.objects.all().delete()
    assert work() == Drained(300, False, None)
    assert batches() == [1, 50, 50, 50, 50, 50, 49]
    assert provider.stats()["requests"] == 7
    assert set(Task.objects.values_list("status", "attempts")) == {("completed", 1)}
    assert ArticleEmbedding.objects.count() == 300
    row = state()
    assert (row.breaker, row.failures, row.openings, row.canary, row.retry_at) == ("closed", 0, 0, None, None)


def test_an_outage_is_written_down_once_at_its_beginning_and_once_at_its_end(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, fail: Callable[[str], object]
) -> None:
    make_tasks(10, space)
    fail("503")
    for _ in range(4):
        work()
        pass_interval()
    provider.config(**NO_FAULTS)
    work()
    said = AuditLog.objects.filter(metadata__provider="openai").order_by("id").values_list("level", "message")
    (begun, ended) = said
    assert begun[0] == "error"
    assert begun[1].startswith("provider openai is down (127.0.0.1 returned 503")
    assert ended == ("info", "provider openai is back: its tasks run again")


def test_one_success_between_failures_keeps_the_breaker_closed(
    work: Callable[..., Drained], provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_BATCH_SIZE = 1
    for n in range(6):
        make_article(f"Title {n}", f"Text {n}.")
    provider.config(fail_next=["503", "503", "429"])
    work()
    pass_interval()
    provider.config(fail_next=["503", "503"])
    work()
    assert state().breaker == "closed"


def test_another_providers_tasks_go_on(
    work: Callable[..., Drained],
    space: Space,
    provider: FakeProvider,
    settings: Settings,
    fail: Callable[[str], object],
) -> None:
    settings.OLLAMA_BASE_URL = "http://127.0.0.1:9"
    make_tasks(20, space)
    other = type(space).objects.create(
        version=101, provider="ollama", model="m", dimensions=8, chunk_tokens=200
    )
    for task in Task.objects.all():
        Task.objects.create(article=task.article, space=other)
    for _ in range(3):
        work()
        pass_interval()
    assert set(Task.objects.filter(space=space).values_list("status", flat=True)) == {"completed"}
    assert set(Task.objects.filter(space=other).values_list("status", "attempts")) == {("pending", 0)}
    assert list(ProviderState.objects.values_list("name", flat=True)) == ["ollama"]


def test_a_canary_with_nothing_to_send_gives_its_turn_back(
    work: Callable[..., Drained], space: Space
) -> None:
    ProviderState.objects.create(name="openai", breaker="open", retry_at=PAST, failures=3, openings=1)
    assert work() == Drained(0, False, None)
    assert gate.admit("openai").canary is not None


def test_a_canary_whose_text_is_known_already_says_nothing_and_the_next_one_asks(
    work: Callable[..., Drained], space: Space, provider: FakeProvider
) -> None:
    article = make_article("Same", "The same text.")
    work()
    make_article("Same", "The same text.")
    make_article("Other", "Another text.")
    ProviderState.objects.create(name="openai", breaker="open", retry_at=PAST, failures=3, openings=1)
    Metric.objects.all().delete()
    work()
    assert batches() == [1, 1]
    assert state().breaker == "closed"
    assert article.pk


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_is_the_canary(space: Space) -> None:
    ProviderState.objects.create(name="openai", breaker="open", retry_at=PAST, failures=3, openings=1)
    permits = together(8, lambda: gate.admit("openai"))
    assert sorted(permit.canary is None for permit in permits) == [False] + 7 * [True]
    assert all(permit.wait > 0 for permit in permits if permit.canary is None)


def test_a_canary_that_died_holds_nobody_up_beyond_its_lease_and_is_not_heard_afterwards() -> None:
    ProviderState.objects.create(name="openai", breaker="open", retry_at=PAST, failures=3, openings=1)
    dead = gate.admit("openai")
    assert 0 < gate.admit("openai").wait <= circuit_breaker.CANARY_LEASE_SECONDS
    ProviderState.objects.update(canary_until=PAST)
    successor = gate.admit("openai")
    assert successor.canary not in (None, dead.canary)
    assert gate.report(dead, circuit_breaker.BatchVerdict.ANSWERED)  # still out
    assert state().canary == successor.canary
    assert not gate.report(successor, circuit_breaker.BatchVerdict.ANSWERED)


def test_a_storm_of_429_charges_no_attempt_and_asks_once_a_block(
    work: Callable[..., Drained], space: Space, provider: FakeProvider
) -> None:
    make_tasks(300, space)
    scheduled = set(Task.objects.values_list("pk", "scheduled_at"))
    provider.config(rate_429=1, retry_after=7)
    drained = work()
    assert drained.wait == pytest.approx(7, abs=1)
    for _ in range(5):
        work()
    assert provider.stats()["requests"] == 1
    assert untouched()
    assert set(Task.objects.values_list("pk", "scheduled_at")) == scheduled
    assert set(Task.objects.exclude(error_class="").values_list("error_class", flat=True)) == {"rate_limited"}


def test_in_a_storm_that_lets_half_through_everything_gets_through_in_whole_batches(
    work: Callable[..., Drained], space: Space, provider: FakeProvider
) -> None:
    make_tasks(300, space)
    provider.config(rate_429=0.5)
    for _ in range(60):
        pass_interval()
        work()
    provider.config(**NO_FAULTS)
    assert set(Task.objects.values_list("status", "attempts")) == {("completed", 1)}
    assert set(batches()) == {50}
    assert state().refusals == 0


FAR = "Fri, 31 Dec 2999 23:59:59 GMT"


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("30", 28, 30),
        ("-5", 0, 1),
        ("0", 0, 1),
        ("1e9", 3590, 3600),
        ("9" * 400, 3590, 3600),
        (FAR, 3590, 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 1),
        ("soon", 0, 1),
        ("nan", 0, 1),
        ("", 0, 1),
    ],
)
def test_whatever_retry_after_says_is_survived(
    work: Callable[..., Drained], provider: FakeProvider, header: str, low: int, high: int
) -> None:
    make_article()
    provider.config(fail_next=["429"], retry_after=header)
    wait = work().wait
    assert wait is not None
    assert low <= wait <= high
    assert untouched()


def test_without_retry_after_the_wait_doubles(work: Callable[..., Drained], provider: FakeProvider) -> None:
    make_article()
    provider.config(rate_429=1, retry_after="")
    waits: list[float | None] = []
    for _ in range(4):
        ProviderState.objects.update(blocked_until=PAST)
        waits.append(work().wait)
    assert [math.ceil(wait or 0) for wait in waits] == [1, 2, 4, 8]


@pytest.mark.parametrize("fault", ["401", "402", "403", "quota"])
def test_a_refused_key_pauses_the_queue_with_a_reason_and_its_tasks_wait_at_no_cost(
    work: Callable[..., Drained],
    space: Space,
    provider: FakeProvider,
    fail: Callable[[str], object],
    fault: str,
) -> None:
    make_tasks(120, space)
    scheduled = set(Task.objects.values_list("pk", "scheduled_at"))
    fail(fault)
    for _ in range(3):
        work()
    assert provider.stats()["requests"] == 1
    assert untouched()
    assert set(Task.objects.values_list("pk", "scheduled_at")) == scheduled
    queue = QueueState.objects.get()
    assert (queue.is_paused, queue.changed_by) == (True, "vectorpress")
    status = "429" if fault == "quota" else fault
    assert f"the provider openai refuses requests (127.0.0.1 returned {status}" in queue.reason
    assert "python manage.py queue_admin resume" in queue.reason
    (entry,) = AuditLog.objects.filter(level="error")
    assert (entry.actor, entry.message) == ("vectorpress", f"queue paused: {queue.reason}")


def test_a_refused_key_of_a_space_that_is_built_opens_its_breaker_and_pauses_nothing(
    work: Callable[..., Drained], space: Space, fail: Callable[[str], object]
) -> None:
    make_tasks(10, space)
    Space.objects.update(state="building")
    fail("401")
    for _ in range(5):
        work()
    assert untouched()
    assert not QueueState.objects.filter(is_paused=True).exists()
    assert ProviderState.objects.get().breaker != "closed"


def test_after_resuming_what_was_given_back_is_due_at_once(
    work: Callable[..., Drained], space: Space, provider: FakeProvider
) -> None:
    make_tasks(60, space)
    provider.config(fail_next=["401"])
    work()
    controls.resume(actor="ada", reason="new key")
    assert work().tasks == 60
    assert set(Task.objects.values_list("status", "attempts")) == {("completed", 1)}


def test_a_text_refused_among_a_hundred_leaves_the_others_their_vectors(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_BATCH_SIZE = 100
    for place in (0, 37, 99):
        Article.objects.all().delete()
        tasks = make_tasks(100, space)
        Article.objects.filter(pk=tasks[place].article_id).update(content=f"POISON {place}")
        provider.config(poison="POISON")
        work()
        assert sorted(Task.objects.values_list("status", flat=True)) == ["completed"] * 99 + ["failed"]
        assert provider.stats()["requests"] - 2 <= 2 * math.log2(100) + 2  # two harmless ones


@pytest.fixture
def fail_over(provider: FakeProvider) -> Callable[[str], object]:
    """From now on every request that has a text with this in it gets a 500."""
    return lambda text: provider.config(poison=text, poison_status=500)


def test_a_text_its_provider_fails_over_is_parked_and_costs_no_other_text_a_thing(
    work: Callable[..., Drained],
    space: Space,
    provider: FakeProvider,
    settings: Settings,
    fail_over: Callable[[str], object],
) -> None:
    settings.EMBEDDING_BATCH_SIZE = 100
    poisoned = make_tasks(100, space)[61]
    Article.objects.filter(pk=poisoned.article_id).update(content="POISON")
    fail_over("POISON")
    work()
    assert Task.objects.filter(status="completed", attempts=1).count() == 99
    assert provider.stats()["requests"] <= 2 * math.log2(100) + 3
    asked = provider.stats()["requests"]
    for _ in range(2):
        assert Task.objects.get(pk=poisoned.pk).status == "pending"
        pass_interval()
        work()
    parked = Task.objects.get(pk=poisoned.pk)
    assert (parked.status, parked.attempts, parked.error_class) == ("failed", 3, "transient")
    assert provider.stats()["requests"] == asked + 2 * 2  # it, and a harmless one
    assert gate.admit("openai").wait == 0


def test_a_canary_that_its_provider_fails_over_does_not_keep_it_out(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, fail_over: Callable[[str], object]
) -> None:
    make_article("Poisoned", "POISON")
    fail_over("POISON")
    ProviderState.objects.create(name="openai", breaker="open", retry_at=PAST, failures=3, openings=1)
    other = make_article("Other", "Another text.")
    assert work().tasks == 2
    assert other.embeddings.exists()
    assert state().breaker == "closed"


def test_two_texts_its_provider_fails_over_are_both_found(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, fail_over: Callable[[str], object]
) -> None:
    tasks = make_tasks(40, space)
    Article.objects.filter(pk__in=[tasks[3].article_id, tasks[30].article_id]).update(content="POISON")
    fail_over("POISON")
    work()
    assert Task.objects.filter(status="completed", attempts=1).count() == 38
    assert set(Task.objects.pending().values_list("pk", flat=True)) == {tasks[3].pk, tasks[30].pk}


def test_a_provider_that_fails_over_every_text_but_a_harmless_one_is_out(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, fail_over: Callable[[str], object]
) -> None:
    make_tasks(30, space)
    fail_over("Text")
    for _ in range(3):
        work()
        pass_interval()
    assert state().breaker == "open"
    assert provider.stats()["requests"] <= 3 * (bisection.MOST_IN_VAIN + 3)
    assert not Task.objects.exclude(status="pending").exists()


def test_a_search_for_the_text_at_fault_ends_when_the_provider_wants_a_pause(
    work: Callable[..., Drained], space: Space, provider: FakeProvider
) -> None:
    make_tasks(8, space)
    provider.config(fail_next=["500", "reordered", "429"], retry_after=1000)
    assert work().wait == pytest.approx(1000, abs=10)
    assert provider.stats()["requests"] == 3
    assert untouched()


def test_a_pause_shorter_than_the_deadline_is_waited_out_in_the_midst_of_a_search(
    work: Callable[..., Drained], space: Space, provider: FakeProvider
) -> None:
    make_tasks(8, space)
    provider.config(fail_next=["500", "429", "reordered", "429"], retry_after=1)
    work()
    assert set(Task.objects.values_list("status", "attempts")) == {("completed", 1)}
    assert (
        provider.stats()["requests"] == 6
    )  # all, a harmless one and a half; the last two twice; the other half


@pytest.mark.parametrize(("fault", "error_class"), [("429", "rate_limited"), ("401", "auth")])
def test_what_keeps_a_harmless_text_from_being_asked_for_holds_the_batch_up_at_no_cost(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, fault: str, error_class: str
) -> None:
    make_tasks(20, space)
    provider.config(fail_next=["500", fault], retry_after=1000)
    drained = work()
    assert untouched()
    assert set(Task.objects.values_list("error_class", flat=True)) == {error_class}
    assert QueueState.objects.get().is_paused == (fault == "401")
    if fault == "429":
        assert drained.wait == pytest.approx(1000, abs=10)
    assert not ProviderState.objects.exclude(failures=0).exists()


def spend_the_budget() -> None:
    """From now on a request goes through when the budget has room again."""
    meter = rate_limiter.meter("openai")
    with pytest.raises(rate_limiter.OverBudgetError):
        for _ in range(1000):
            with meter.call(1):
                pass


@pytest.mark.parametrize("status", [400, 500])
def test_under_a_spent_budget_a_text_at_fault_is_found_and_no_other_loses_a_thing(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, settings: Settings, status: int
) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 600
    poisoned = make_tasks(50, space)[5]
    Article.objects.filter(pk=poisoned.article_id).update(content="POISON")
    provider.config(poison="POISON", poison_status=status)
    spend_the_budget()
    for _ in range(2):  # the first look may find no room at all
        ProviderState.objects.update(blocked_until=None, requests_full_at=F("requests_full_at") - SOME_ROOM)
        work()
    assert Task.objects.filter(status="completed", attempts=1).count() == 49
    assert provider.stats()["sizes"].count(50) == 1
    assert provider.stats()["requests"] <= 2 * math.log2(50) + 4


def test_a_stopping_process_does_not_wait_during_a_search(
    work: Callable[..., Drained], space: Space, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 10  # 7 s a request
    make_tasks(8, space)
    provider.config(fail_next=["500"] * 3)
    shutdown.request()
    try:
        work()
    finally:
        shutdown.clear()
    assert provider.stats()["requests"] == 1
    assert untouched()


@pytest.mark.parametrize("count", [100, 8, 3])
def test_two_texts_its_provider_fails_over_in_front_of_all_others_cost_these_nothing(
    work: Callable[..., Drained],
    space: Space,
    provider: FakeProvider,
    settings: Settings,
    fail_over: Callable[[str], object],
    count: int,
) -> None:
    settings.EMBEDDING_BATCH_SIZE = count
    tasks = make_tasks(count, space)
    for n, task in enumerate(tasks[:2]):
        Article.objects.filter(pk=task.article_id).update(content=f"POISON {n}")
    fail_over("POISON")
    work()
    assert Task.objects.filter(status="completed", attempts=1).count() == count - 2
    assert set(Task.objects.pending().values_list("pk", "attempts")) == {(task.pk, 1) for task in tasks[:2]}
    assert provider.stats()["requests"] <= 4 * math.log2(count) + 3


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_server_that_refuses_every_text_is_out_and_parks_nothing(
    work: Callable[..., Drained],
    provider: FakeProvider,
    settings: Settings,
    fail: Callable[[str], object],
    kind: str,
) -> None:
    if kind == "ollama":
        settings.OLLAMA_BASE_URL = provider.url
        space = make_space(provider="ollama")
    else:
        space = make_space()
        make_article("One", "That it took, so that it is understood.")
        work()
        Task.objects.all().delete()
    make_tasks(200, space)
    fail("400")
    for _ in range(3):
        work()
        Task.objects.pending().filter(scheduled_at__gt=Now()).update(scheduled_at=Now())
    assert untouched()
    assert ProviderState.objects.get(name=kind).breaker == "open"
    assert provider.stats()["requests"] <= 3 * 8
    assert "even a harmless one" in ProviderState.objects.get(name=kind).last_error
