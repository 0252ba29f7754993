"""The verbs for the queue as a whole: pause, resume, mode and breaker."""

import json
from typing import Any

import pytest

from embeddings.models import Space
from queueops.cli.verbs.pause_and_mode import provider_line
from queueops.models import AuditLog, ProviderState, QueueState, Status, Worker
from queueops.monitoring.provider_status import ProviderStatus
from tests.queueops.cli.verbs.test_bulk import statuses
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space() -> Space:
    make_worker()
    return make_space()


def run(*words: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    called = queue_admin(*words)
    return called.code, called.out


def test_pause_and_resume() -> None:
    code, said = run("--actor=ada", "pause", "--reason=an upgrade")
    assert (code, said.startswith("paused")) == (0, True)
    assert QueueState.objects.get().reason == "an upgrade"
    code, said = run("--actor=ada", "resume")
    assert (code, said.startswith("resumed")) == (0, True)
    assert not QueueState.objects.get().is_paused
    assert set(AuditLog.objects.values_list("actor", flat=True)) == {"ada"}


def test_breaker_shows_each_provider_even_one_that_nothing_is_known_of() -> None:
    assert run("breaker") == (0, "openai: closed\n")


def test_breaker_shows_outages_limits_and_the_last_error() -> None:
    ProviderState.objects.create(
        name="openai", breaker="open", failures=3, retry_at="2000-01-01T00:00Z", last_error="h answered 503"
    )
    ProviderState.objects.create(name="ollama", blocked_until="2999-01-01T00:00Z")
    _, said = run("breaker")
    first, second = said.splitlines()
    assert first.startswith("ollama: closed; at its rate limit for")
    assert second.startswith("openai: open; out for 0 s, next call in 0 s")
    assert second.endswith("last error: h answered 503")
    assert [row["name"] for row in json.loads(run("breaker", "--json")[1])["providers"]] == [
        "ollama",
        "openai",
    ]


def test_breaker_resets_one_or_all() -> None:
    for name in ("openai", "ollama"):
        ProviderState.objects.create(name=name, breaker="open", retry_at="2999-01-01T00:00Z")
    run("breaker", "--reset", "--provider=ollama", "--reason=back")
    assert ProviderState.objects.get(name="ollama").breaker == "closed"
    assert ProviderState.objects.get(name="openai").breaker == "open"
    code, said = run("breaker", "--reset", "--reason=back")
    assert code == 0
    assert said.startswith("reset: ollama, openai (operation ")
    assert not ProviderState.objects.exclude(breaker="closed").exists()
    assert AuditLog.objects.count() == 2


def test_an_unknown_provider_is_named_with_those_there_are() -> None:
    called = queue_admin("breaker", "--provider=opnai")
    assert (called.code, called.sentence) == (3, "unknown provider 'opnai'; known: openai")


def test_the_verb_shows_sets_and_takes_back_the_mode() -> None:
    assert queue_admin("mode").out.splitlines() == [
        "queued: a save creates a task, and workers embed it",
        "This is the mode of the settings.",
    ]
    called = queue_admin("mode", "synchronous", "--reason=no Redis", "--actor=ada", "--json")
    assert (called.json["mode"], called.json["is_persisted"], called.json["changed_by"]) == (
        "synchronous", True, "ada",
    )  # fmt: skip
    assert AuditLog.objects.filter(operation_id=called.json["operation"]).exists()
    shown = queue_admin("status").out
    assert "Mode: synchronous" in shown
    assert "The mode was changed to synchronous by ada: no Redis." in shown
    assert "Set by ada: no Redis. The mode of the settings is queued" in queue_admin("mode").out
    assert queue_admin("mode", "environment", "--reason=back", "--json").json["is_persisted"] is False
    assert queue_admin("mode", "disabled").code == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("pause",), "pause the queue"),
        (("resume",), "resume the queue"),
        (("stop",), "stop every worker"),
        (("start",), "start every worker and resume the queue"),
        (("emergency-stop",), "stop 1 workers and release 2 tasks"),
        (("mode", "disabled"), "set the mode to disabled in every process"),
        (("breaker", "--reset"), "clear the outages and rate limits of every provider"),
        (("maintenance", "--once"), "run the sweep, the cleanup and the sampler once"),
    ],
)
def test_a_dry_run_of_a_control_changes_nothing(space: Space, words: tuple[str, ...], says: str) -> None:
    make_tasks(2, space, Status.PROCESSING)
    before = list(QueueState.objects.values()), list(Worker.objects.values()), statuses()
    assert queue_admin(*words, "--dry-run").out.startswith(f"This would {says}")
    assert queue_admin(*words, "--dry-run", "--yes", "--json").json["dry_run"] is True
    assert (list(QueueState.objects.values()), list(Worker.objects.values()), statuses()) == before
    assert not AuditLog.objects.exists()


def test_a_resume_says_how_many_workers_are_still_stopped() -> None:
    queue_admin("stop")
    assert (
        "but 1 worker is still stopped: run python manage.py queue_admin start" in queue_admin("resume").out
    )
    queue_admin("start")
    assert "still stopped" not in queue_admin("resume").out


def test_a_pause_without_a_reason_is_refused_as_other_acts_are() -> None:
    called = queue_admin("pause")
    assert (called.code, "give a reason" in called.sentence) == (3, True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, ["openai: closed"]),
        ({"failures": 2}, ["openai: closed", "2 batches failed in a row"]),
        (
            {"breaker": "half_open", "failures": 3, "out_for": 300.0, "retry_in": 30.0},
            ["openai: half open", "out for 5 min, next call in 30 s"],
        ),
        ({"breaker": "open"}, ["openai: open", "out for 0 s, next call in 0 s"]),
        ({"blocked_for": 10.0}, ["openai: closed", "at its rate limit for 10 s more"]),
        (
            {"calls": 4, "tokens_today": 12_345},
            ["openai: closed", "4 calls in flight", "12,345 tokens today"],
        ),
        (
            {"tokens_today": 5, "is_spent": True, "last_error": "a 500"},
            ["openai: closed", "5 tokens today, the budget is spent", "last error: a 500"],
        ),
    ],
)
def test_the_state_of_a_provider_is_on_one_line(fields: dict[str, Any], words: list[str]) -> None:
    assert provider_line(ProviderStatus("openai", **fields)).split("; ") == words


@pytest.mark.parametrize("word", ["off", "QUEUED", ""])
def test_a_mode_that_there_is_not_is_not_understood(word: str) -> None:
    assert queue_admin("mode", word, "--reason=x").code != 0
    assert QueueState.objects.get().mode == ""


def test_a_reset_with_nothing_to_clear_says_so() -> None:
    assert "nothing to clear" in queue_admin("breaker", "--reset", "--reason=x").out
