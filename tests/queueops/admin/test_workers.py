"""Worker processes and the queue's state in the admin: in words, by the database's clock."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from queueops.models import QueueState
from queueops.monitoring.snapshot_statement import ALIVE_WITHIN_SECONDS
from tests.admin_rows import make_person
from tests.queueops.factories import make_worker

pytestmark = pytest.mark.django_db
WORKERS, STATE = (reverse(f"admin:queueops_{name}_changelist") for name in ("worker", "queuestate"))


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_person("ada", "queueops.view_worker", "queueops.view_queuestate"))
    return client


def words(client: Client, url: str, column: str) -> list[str]:
    """What stands in a column, row by row."""
    page = client.get(url).content.decode()
    cells = re.findall(rf'<t[dh][^>]*class="[^"]*field-{column}\b[^"]*"[^>]*>(.*?)</t[dh]>', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells]


@pytest.mark.parametrize(
    ("is_running", "silent", "word"),
    [
        (True, 0, "running"),
        (False, 0, "stopped"),
        (True, ALIVE_WITHIN_SECONDS + 60, "silent"),
        (False, ALIVE_WITHIN_SECONDS + 60, "silent"),
    ],
)
def test_a_worker_runs_was_stopped_or_is_silent(
    viewer: Client, is_running: bool, silent: int, word: str
) -> None:
    make_worker(is_running=is_running, last_seen_at=Now() - timedelta(seconds=silent))
    assert words(viewer, WORKERS, "state") == [word]


def test_when_it_was_last_seen_is_shown_as_an_age_and_those_seen_last_come_first(viewer: Client) -> None:
    make_worker(name="older", last_seen_at=Now() - timedelta(hours=3))
    make_worker(name="", last_seen_at=Now())
    first, second = words(viewer, WORKERS, "shown_name")
    assert first.startswith("worker ")
    assert second == "older"
    assert words(viewer, WORKERS, "seen")[1].startswith("3")


@pytest.mark.parametrize(("mode", "told"), [("", "mode of the settings"), ("disabled", "disabled")])
def test_the_state_names_its_mode(viewer: Client, mode: str, told: str) -> None:
    QueueState.objects.update(mode=mode, is_paused=True, reason="an upgrade", changed_by="ada")
    assert words(viewer, STATE, "shown_mode") == [told]
    assert (
        words(viewer, STATE, "reason") == ["an upgrade"] or "an upgrade" in viewer.get(STATE).content.decode()
    )
