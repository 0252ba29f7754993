"""`rundramatiq` as it is deployed: real processes on real servers, of which one or all are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection

from embeddings.models import Space
from queueops.models import Metric, Task, Worker
from tests.databases import address_of
from tests.paths import ROOT
from tests.queueops.factories import make_article
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def workers(space: Space) -> Iterator[subprocess.Popen[bytes]]:
    own = {
        "DATABASE_URL": address_of(str(connection.settings_dict["NAME"])),
        "OPENAI_BASE_URL": settings.OPENAI_BASE_URL,  # of the fake provider
        "EMBEDDING_WORKER_INTERVAL": "200",
    }
    process = subprocess.Popen(
        [
            *[sys.executable, "manage.py", "rundramatiq", "--processes=2", "--threads=1"],
            *["--worker-shutdown-timeout=1000", "--skip-logging"],
        ],
        cwd=ROOT,
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def pids() -> dict[int, int]:
    """The pid of each registered worker → the id of its row."""
    rows = Worker.objects.values_list("name", "pk")
    return {int(name.rpartition(":")[2]): row for name, row in rows}


def test_a_killed_worker_is_replaced_and_the_other_continues(workers: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: len(pids()) == 2, 60, "two worker processes")
    before = pids()
    killed, other = before
    os.kill(killed, signal.SIGKILL)
    make_article()
    wait_until(lambda: Task.objects.filter(outcome="embedded").exists(), 30, "the other to work on")
    wait_until(lambda: len(pids()) == 3, 60, "a third")
    assert pids()[other] == before[other]
    os.kill(other, 0)
    assert Metric.objects.get(name="worker_ended").labels == {"how": "SIGKILL"}
    workers.send_signal(signal.SIGTERM)
    assert workers.wait(30) == 0
    assert set(pids()) == {killed}


def test_workers_stop_gracefully_if_their_supervisor_is_killed(workers: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: len(pids()) == 2, 60, "two worker processes")
    workers.send_signal(signal.SIGKILL)
    wait_until(lambda: not pids(), 30, "both to leave")
