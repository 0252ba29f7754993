"""Real processes, really killed: at every named step of the work nothing is lost."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import dramatiq
import pytest
from django.db import connection
from django.db.models.functions import Now
from dramatiq.brokers.redis import RedisBroker
from pytest_django import Settings

from drills.kills import plan
from drills.trial_results import Trial, rows_of
from queueops.base import failpoints
from queueops.maintenance import sweep
from queueops.models import Task
from queueops.worker import drain
from tests.paths import ROOT
from tests.providers import FakeProvider
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.slow
SECONDS_TO_DIE = 60.0
IN_A_BATCH = [
    "claimed", "rendered", "before_provider", "after_provider", "settle_locked", "stored", "completed",
    "before_commit", "after_commit",
]  # fmt: skip
AFTER_ALL_WORK = ["before_ack", "sweep_returned"]
BEHIND = """
SELECT count(*) FROM articles a WHERE 1 <> (
    SELECT count(*) FROM article_embeddings e
    WHERE e.article_id = a.id AND e.chunk_index = 0 AND e.source_hash = a.content_hash)
"""


@pytest.fixture
def provider(settings: Settings) -> Iterator[FakeProvider]:
    with FakeProvider(dimensions=8) as process:
        settings.OPENAI_BASE_URL = process.url + "/v1"
        yield process


@pytest.fixture
def empty_broker() -> Iterator[None]:
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    broker.client.flushdb()
    yield
    broker.client.flushdb()


def environment(provider: FakeProvider, failpoint: str) -> dict[str, str]:
    """Processes of their own on this test's database."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return os.environ | {
        "DATABASE_URL": database.geturl(),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EMBEDDING_PROVIDER": "openai",
        "EMBEDDING_MODEL": "fake-embed",
        "EMBEDDING_DIMENSIONS": "8",
        "OPENAI_BASE_URL": provider.url + "/v1",
        "EMBEDDING_BATCH_SIZE": "5",
        "EMBEDDING_WORKER_INTERVAL": "100",
        "VECTORPRESS_FAILPOINT": failpoint,
    }


def start(
    provider: FakeProvider, failpoint: str, module: str, *words: str, **more: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env=environment(provider, failpoint) | more,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end_of(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it wrote: (stdout, stderr)."""
    try:
        return process.communicate(timeout=SECONDS_TO_DIE)
    finally:
        process.kill()
        process.wait()


def kill_workers_at(names: list[str], provider: FakeProvider) -> None:
    """A worker for each step, all at once; each dies there."""
    victims = start(provider, "", "drills.lone_worker", *(f"{name}=kill" for name in names))
    told, said = end_of(victims)
    assert json.loads(told) == dict.fromkeys(names, -signal.SIGKILL), said
    assert all(f"failpoint {name} reached" in said for name in names), said


def kill_saver_at(failpoint: str, provider: FakeProvider) -> None:
    saver = start(provider, failpoint, "drills.timed_saves", "9")
    _, said = end_of(saver)
    assert (saver.returncode, "failpoint enqueue_committed reached" in said) == (-signal.SIGKILL, True), said


def return_what_they_held() -> None:
    Task.objects.processing().update(lease_expires_at=Now())
    sweep.sweep()


def behind() -> int:
    with connection.cursor() as cursor:
        cursor.execute(BEHIND)
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_kill_at_any_step_loses_nothing(provider: FakeProvider, empty_broker: None) -> None:
    space = make_space()
    make_tasks(80, space)
    kill_workers_at(IN_A_BATCH, provider)
    assert Task.objects.processing().count() == 5 * (len(IN_A_BATCH) - 1)  # all but after_commit held theirs
    return_what_they_held()
    kill_workers_at(AFTER_ALL_WORK, provider)
    kill_saver_at("enqueue_committed:2=kill", provider)
    return_what_they_held()
    assert Task.objects.pending().exists()
    drain.drain(make_worker().pk, seconds=20)
    assert Task.objects.filter(status="completed").count() == 82
    assert behind() == 0


@pytest.mark.django_db(transaction=True)
def test_workers_five_minutes_off_go_by_the_databases_clock(
    provider: FakeProvider, empty_broker: None
) -> None:
    space = make_space()
    make_tasks(40, space)
    make_tasks(10, space, priority="high", scheduled_at=Now() + timedelta(seconds=200))
    wrong = [
        start(
            provider, "", "drills.lone_worker", "rendered=kill", "after_commit=kill",
            PYTHONPATH=str(ROOT / "drills/wrong_clock"), DRILL_CLOCK_SECONDS=str(seconds),
        )
        for seconds in (-300, 300)
    ]  # fmt: skip
    for process in wrong:
        told, said = end_of(process)
        assert set(json.loads(told).values()) == {-signal.SIGKILL}, said
    assert not Task.objects.filter(priority="high").exclude(attempts=0).exists()
    held = Task.objects.processing()
    assert (
        held.filter(lease_expires_at__range=(Now(), Now() + timedelta(seconds=60))).count()
        == held.count()
        == 10
    )
    done = Task.objects.filter(status="completed", completed_at__gt=Now() - timedelta(seconds=60))
    assert done.filter(completed_at__lte=Now()).count() == 10


def test_every_step_has_its_kill_here() -> None:
    assert {*IN_A_BATCH, *AFTER_ALL_WORK, "enqueue_committed"} == set(failpoints.NAMES)


def test_a_drill_with_the_whole_system_succeeds_and_prints_its_findings() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "drills.kills", "--trials=1", "--seed=3", "--articles=60", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    found = json.loads(ran.stdout)
    (row,) = found["rows"]
    assert (row["trials"], row["lost"], row["broken"]) == (1, 0, 0)
    assert found["machine"]["cores"] > 0


def test_a_plan_takes_every_step_before_it_takes_one_twice() -> None:
    steps = [name for name, _ in plan(random.Random(1), 24, failpoints.NAMES)]
    assert sorted(steps[:12]) == sorted(steps[12:]) == sorted(failpoints.NAMES)


def test_trials_are_shown_fault_by_fault() -> None:
    rows = rows_of([Trial("b", 2.0, 0, 5), Trial("a", 1.0, 0, None), Trial("b", 4.0, 1, 0, ["one row"])])
    assert [row.fault for row in rows] == ["a", "b"]
    assert (rows[0].wasted, rows[0].trials) == (None, 1)
    assert (rows[1].median_seconds, rows[1].worst_seconds, rows[1].lost, rows[1].broken) == (3.0, 4.0, 1, 1)
