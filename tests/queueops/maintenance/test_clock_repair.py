"""Times written while a clock was ahead block nothing once it has stepped back; every time column is covered."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, ProviderError
from queueops.admission import gate, rate_limiter, self_pause  # fmt: skip
from queueops.admission.circuit_breaker import BatchVerdict
from queueops.engine import claims
from queueops.maintenance import cleanup, clock_repair, reaper, sampler, sweep
from queueops.maintenance.clock_repair import Reading
from queueops.models import AuditLog, Metric, ProviderState, QueueState, Task, Worker
from queueops.monitoring import article_status, health, search_coverage, snapshot, statistics
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from queueops.worker import drain, leases
from queueops.worker.housekeeper import Housekeeper
from tests.concurrently import another_session, together
from tests.paths import ROOT
from tests.queueops.factories import make_tasks, make_worker, now, plan_of

pytestmark = pytest.mark.django_db

HOUR, SECOND, INTERVAL = timedelta(hours=1), timedelta(seconds=1), timedelta(seconds=5)
ROOMS = ("articles", "embeddings", "queueops", "access")
OPENAI = "openai"


def sql(statement: str, *arguments: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)


def set_ahead(*, by: timedelta = HOUR) -> None:
    """As if all there is had been written by a clock so far ahead, which has stepped back since. Audit rows cannot be
    changed, and who has signed in does not matter here."""
    for model in apps.get_app_config("queueops").get_models():
        times = [field.name for field in model._meta.fields if isinstance(field, models.DateTimeField)]
        if model is AuditLog or not times:
            continue
        model._default_manager.update(**{name: F(name) + by for name in times})
    Task.objects.update(schedule_set_at=F("created_at"))  # alone: with a schedule, the trigger sets it


def state() -> QueueState:
    return QueueState.objects.get()


def seconds_until(moment: Any) -> float:
    return float((moment - now()).total_seconds())


# --- the sweep


def test_a_sweep_that_lies_ahead_is_due_and_only_once() -> None:
    QueueState.objects.update(swept_at=Now() + HOUR)
    assert sweep.sweep_if_leader(INTERVAL) is not None
    assert sweep.sweep_if_leader(INTERVAL) is None
    assert abs(seconds_until(state().swept_at)) < 5


@pytest.mark.django_db(transaction=True)
def test_of_many_that_find_a_sweep_ahead_one_sweeps() -> None:
    QueueState.ensure_row()
    QueueState.objects.update(swept_at=Now() + HOUR)
    swept = together(4, lambda: sweep.sweep_if_leader(INTERVAL))
    assert len([each for each in swept if each is not None]) == 1


def test_all_that_was_written_an_hour_ahead_is_worked_off_and_health_says_so(
    space: Space, worker: Worker
) -> None:
    make_tasks(3, space)
    make_tasks(2, space, status="processing", attempts=1)
    ProviderState.objects.create(
        name=OPENAI, breaker="open", openings=1, opened_at=Now(), retry_at=Now() + 2 * SECOND
    )
    gone = make_worker(name="gone", last_claim_at=Now())
    set_ahead()
    Worker.objects.filter(pk=gone.pk).update(last_seen_at=Now() + HOUR)
    assert sweep.sweep_if_leader(INTERVAL) is not None
    Task.objects.processing().update(lease_expires_at=F("lease_expires_at") - timedelta(minutes=2))  # it ends
    sweep.sweep()
    while Task.objects.live().exists():
        assert drain.drain(worker.pk, seconds=20).tasks
    assert not Task.objects.exclude(status="completed").exists()
    assert health.judge(snapshot.take()).condition == "ok"
    assert AuditLog.objects.filter(
        category="sweep", message__contains="times in the future were corrected"
    ).exists()


def test_nothing_is_put_right_where_nothing_is_ahead(space: Space, worker: Worker) -> None:
    make_tasks(1, space)
    make_tasks(1, space, priority="low", scheduled_at=Now() + timedelta(days=1))
    make_tasks(1, space, status="processing", lease_expires_at=Now() + timedelta(seconds=60))
    gate.report(
        gate.Permit(OPENAI), BatchVerdict.FAILED, ProviderError(ErrorClass.RATE_LIMITED, "slow", 3_600)
    )
    assert clock_repair.correct_times() == {}
    assert not AuditLog.objects.filter(category="sweep").exists()


def test_times_ahead_are_found_through_indexes(space: Space) -> None:
    make_tasks(2000, space)
    make_tasks(50, space, status="processing")
    sql("ANALYZE embedding_tasks")
    arguments = {"lease": HOUR, "tolerance": SECOND, "batch": 1000}
    assert "embedding_tasks_held" in plan_of(clock_repair._CUT_LEASES, arguments)
    plan = plan_of(clock_repair._MOVE_SCHEDULES, arguments)
    assert "embedding_tasks_waiting" in plan or "embedding_tasks_due" in plan, plan


# --- leases


def test_a_lease_ahead_of_any_that_is_given_is_cut_and_not_ended(space: Space, settings: Settings) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 60_000
    make_tasks(1, space, status="processing", lease_expires_at=Now() + HOUR)
    assert sweep.sweep().returned == 0
    assert 50 < seconds_until(Task.objects.get().lease_expires_at) <= 60


def test_a_worker_that_lives_keeps_what_it_holds_when_the_clock_steps_back(
    space: Space, worker: Worker
) -> None:
    make_tasks(1, space)
    claim = claims.claim_due(space, 1, worker.pk, worker.name)
    set_ahead()
    sweep.sweep()
    assert leases.renew([claim.token]) == {claim.token}
    assert (Task.objects.get().attempts, Task.objects.get().error_class) == (1, "")


def test_a_clock_that_goes_ahead_ends_no_lease(space: Space) -> None:
    make_tasks(1, space, status="processing", lease_expires_at=Now() - HOUR + timedelta(seconds=40))
    make_tasks(
        1, space, status="processing", priority="high", lease_expires_at=Now() - HOUR - SECOND
    )  # before
    make_tasks(1, space, status="processing", priority="low", lease_expires_at=Now() + 59 * SECOND)  # after
    assert clock_repair.extend_leases(HOUR.total_seconds()) == 2
    left = {task.priority: seconds_until(task.lease_expires_at) for task in Task.objects.all()}
    assert 30 < left["normal"] <= 40
    assert left["high"] < 0
    assert left["low"] <= 60
    assert sweep.sweep().returned == 1


@pytest.mark.django_db(transaction=True)
def test_a_process_that_sees_the_clock_go_ahead_ends_no_lease(space: Space) -> None:
    make_tasks(1, space, status="processing", lease_expires_at=Now() - HOUR + timedelta(seconds=40))
    process = Housekeeper()
    read = clock_repair.read()
    process._clock._last = Reading(read.database - HOUR.total_seconds(), read.steady)
    process._once(0.0)
    make_tasks(
        1, space, status="processing", priority="low", lease_expires_at=Now() - HOUR + timedelta(seconds=50)
    )
    process._once(0.0)  # a claim with the old time was committed after the first check
    make_tasks(1, space, status="processing", priority="high", lease_expires_at=Now() - SECOND)
    assert not process._clock.look()  # or even between a look and its sweep
    sweep.sweep(with_leases=False)
    process.leave()
    assert {task.status for task in Task.objects.all()} == {"processing"}
    assert state().swept_at is not None
    assert AuditLog.objects.get(category="sweep").metadata == {"seconds": 3600}


@pytest.mark.parametrize(
    ("later", "ahead"),
    [
        (Reading(1_005.0, 55.0), 0.0),  # both went on by five seconds
        (Reading(4_605.0, 55.0), 3_600.0),
        (Reading(1_005.9, 55.0), 0.0),  # too little to end a lease
        (Reading(1_015.0, 55.0, took=12.0), 0.0),  # the reply may have been that late
        (Reading(-2_595.0, 55.0), 0.0),  # back: the sweep sees that by itself
    ],
)
def test_a_step_is_detected_by_a_monotonic_clock(later: Reading, ahead: float) -> None:
    assert clock_repair.went_ahead(Reading(1_000.0, 50.0), later) == ahead
    assert clock_repair.went_ahead(None, later) == 0.0


def test_both_clocks_are_read() -> None:
    earlier = clock_repair.read()
    assert clock_repair.went_ahead(earlier, clock_repair.read()) == 0.0


# --- schedules


def test_what_was_due_by_a_clock_ahead_is_due_and_what_was_to_wait_waits_as_long(
    space: Space, worker: Worker
) -> None:
    make_tasks(1, space)
    make_tasks(1, space, priority="low", scheduled_at=Now() + timedelta(minutes=10))
    set_ahead()
    sweep.sweep()
    assert len(claims.claim_due(space, 10, worker.pk, worker.name).tasks) == 1
    assert 590 < seconds_until(Task.objects.pending().get().scheduled_at) <= 600


@pytest.mark.parametrize("wait", [timedelta(seconds=30), HOUR, timedelta(days=30)])
def test_a_wait_that_a_retry_or_somebody_has_set_stays_however_long(space: Space, wait: timedelta) -> None:
    make_tasks(1, space)
    Task.objects.update(scheduled_at=Now() + wait)
    sweep.sweep()
    assert abs(seconds_until(Task.objects.get().scheduled_at) - wait.total_seconds()) < 10


def test_the_row_records_when_its_schedule_was_written(space: Space) -> None:
    make_tasks(1, space)
    sql("UPDATE embedding_tasks SET created_at = '2020-01-01', schedule_set_at = '2020-01-01'")
    sql("UPDATE embedding_tasks SET scheduled_at = scheduled_at")
    assert Task.objects.get().schedule_set_at.year == 2020
    sql("UPDATE embedding_tasks SET scheduled_at = now() + interval '1 day'")
    assert abs(seconds_until(Task.objects.get().schedule_set_at)) < 10


def test_what_a_stop_gave_back_under_a_clock_ahead_is_due(space: Space, worker: Worker) -> None:
    make_tasks(1, space)
    claims.claim_due(space, 1, worker.pk, "worker 7")
    reaper.release_held("worker 7")
    sql("UPDATE embedding_tasks SET scheduled_at = scheduled_at + interval '1 hour'")
    sql("UPDATE embedding_tasks SET schedule_set_at = schedule_set_at + interval '1 hour'")
    sweep.sweep()
    assert claims.claim_due(space, 1, worker.pk, "worker 8").tasks


# --- workers


def test_a_worker_seen_ahead_does_not_count_as_alive_and_is_forgotten_in_time(space: Space) -> None:
    make_worker(last_seen_at=Now() + HOUR, last_claim_at=Now() + HOUR)
    assert (snapshot.take().workers_alive, snapshot.take().last_claim_age) == (0, None)
    assert article_status.blockers().no_worker == "no worker is alive"
    sweep.sweep()
    row = Worker.objects.get()
    assert (abs(seconds_until(row.last_seen_at)) < 10, row.last_claim_at) == (True, None)


# --- providers


@pytest.mark.parametrize(
    "fields",
    [
        {"breaker": "open", "retry_at": Now() + HOUR},
        {"breaker": "half_open", "retry_at": Now() - SECOND, "canary_until": Now() + HOUR},
        {"blocked_until": Now() + HOUR + HOUR},
    ],
)
def test_a_provider_is_not_left_alone_for_longer_than_ever(fields: dict[str, Any]) -> None:
    ProviderState.objects.create(name=OPENAI, **fields)
    assert gate.admit(OPENAI).wait
    sweep.sweep()
    assert not gate.admit(OPENAI).wait


def test_a_block_within_what_is_given_ends_when_the_clock_is_known_to_have_stepped_back() -> None:
    ProviderState.objects.create(name=OPENAI, blocked_until=Now() + HOUR - SECOND)
    QueueState.objects.update(swept_at=Now() - HOUR)
    sweep.sweep_if_leader(INTERVAL)
    assert gate.admit(OPENAI).wait
    QueueState.objects.update(swept_at=Now() + HOUR)
    sweep.sweep_if_leader(INTERVAL)
    assert not gate.admit(OPENAI).wait


@pytest.mark.django_db(transaction=True)
def test_a_process_that_dies_before_its_sweep_leaves_the_step_back_to_the_next() -> None:
    QueueState.ensure_row()
    QueueState.objects.update(swept_at=Now() + HOUR)
    ProviderState.objects.create(name=OPENAI, blocked_until=Now() + HOUR - SECOND)
    with another_session() as dying:
        dying.execute(sweep._LEAD.encode(), [5.0])
    sweep.sweep_if_leader(INTERVAL)
    assert not gate.admit(OPENAI).wait


def test_a_bucket_that_is_to_be_full_later_than_ever_is_full(settings: Settings) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 60
    settings.EMBEDDING_TOKENS_PER_MINUTE = 6_000
    ProviderState.objects.create(name=OPENAI, requests_full_at=Now() + HOUR, tokens_full_at=Now() + HOUR)
    QueueState.objects.update(swept_at=Now() + HOUR)
    sweep.sweep_if_leader(INTERVAL)
    with rate_limiter.meter(OPENAI).call(1):
        pass


def test_a_call_that_is_to_end_later_than_ever_holds_no_slot(settings: Settings) -> None:
    settings.EMBEDDING_CALLS_IN_FLIGHT = 1
    ends = now().timestamp() + HOUR.total_seconds()
    ProviderState.objects.create(name=OPENAI, calls={"of a clock ahead": ends})
    assert not gate.admit(OPENAI).wait
    with rate_limiter.meter(OPENAI).call(1):
        assert gate.admit(OPENAI).wait


def test_tokens_counted_under_a_day_to_come_stay_spent(settings: Settings) -> None:
    settings.EMBEDDING_DAILY_TOKEN_BUDGET = 100
    ProviderState.objects.create(name=OPENAI, day=now().date() + timedelta(days=1), tokens_today=100)
    assert not gate.admit(OPENAI).with_low
    with rate_limiter.meter(OPENAI).call(10):
        assert ProviderState.objects.get().tokens_today == 110


def test_the_queue_pauses_itself_though_it_was_changed_ahead_of_now() -> None:
    QueueState.objects.update(changed_at=Now() + HOUR)
    assert self_pause.pause_itself(OPENAI, ProviderError(ErrorClass.AUTH, "no key"), 1.0)


# --- upkeep and figures


def test_a_cleanup_that_lies_ahead_is_due(space: Space) -> None:
    make_tasks(1, space, status="completed", completed_at=Now() - timedelta(days=400))
    QueueState.objects.update(cleaned_at=Now() + HOUR)
    assert cleanup.clean_if_leader() == 1
    assert cleanup.clean_if_leader() == 0


def test_a_sample_that_lies_ahead_is_not_the_newest(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler.sample()
    Metric.objects.update(timestamp=Now() + HOUR, value=7)
    assert sampler.sample_if_due() > 0
    assert sampler.sample_if_due() == 0
    monkeypatch.setattr(search_coverage, "COUNTED_AT_ONCE", -2)
    assert search_coverage.of(space, 0).articles == 0
    assert {
        course.last for course in statistics.courses(timedelta(hours=2)) if course.name == "articles"
    } == {0.0}


def test_tasks_that_ended_ahead_of_now_are_counted_in_no_rate(space: Space) -> None:
    make_tasks(9, space, status="failed", completed_at=Now() + timedelta(minutes=3))
    make_tasks(1, space, status="completed", completed_at=Now(), processed_at=Now() - SECOND)
    now_ = snapshot.take()
    assert (now_.failed_5m, now_.completed_5m, now_.failed_1h) == (0, 1, 0)
    assert now_.per_second <= 1.0
    assert statistics.breakdown().seconds_per_task.tasks == 1


def test_failed_tasks_whose_end_lies_ahead_can_be_tried_again(space: Space) -> None:
    make_tasks(2, space, status="failed", completed_at=Now() + HOUR)
    assert operations.requeue(TaskFilter(statuses=("failed",)), actor="ada", reason="again").changed == 2


# --- the page that lists them


def test_every_time_column_has_its_decision_written_down() -> None:
    columns = {
        f"{model._meta.db_table}.{field.column}"
        for room in ROOMS
        for model in apps.get_app_config(room).get_models()
        for field in model._meta.local_fields
        if isinstance(field, models.DateField)
    }
    lines = (ROOT / "docs/clocks.md").read_text(encoding="utf-8").splitlines()
    told = {line.split("`")[1] for line in lines if line.startswith("| `") and "." in line.split("`")[1]}
    assert told == columns
