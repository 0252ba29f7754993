"""The operator's command: what it prints, what it leaves, and how it exits."""

import json

import pytest

from queueops.models import AuditLog, ProviderState, QueueState
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _well():
    make_space()
    make_worker()


def run(*words: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    called = queue_admin(*words)
    return called.code, called.out


def test_pause_and_resume():
    code, said = run("--actor=ada", "pause", "--reason=an upgrade")
    assert (code, said.startswith("paused")) == (0, True)
    assert QueueState.objects.get().reason == "an upgrade"
    code, said = run("--actor=ada", "resume")
    assert (code, said.startswith("resumed")) == (0, True)
    assert not QueueState.objects.get().is_paused
    assert set(AuditLog.objects.values_list("actor", flat=True)) == {"ada"}


def test_without_a_name_the_actor_is_who_is_logged_in(monkeypatch):
    monkeypatch.setenv("LOGNAME", "grace")
    run("pause", "--reason=x")
    assert AuditLog.objects.get().actor == "grace"


@pytest.mark.parametrize("words", [["pause", "--reason= "], ["breaker", "--reset"]])
def test_an_act_without_a_reason_is_refused_in_a_sentence(words):
    called = queue_admin(*words)
    assert called.code == 3
    assert "give a reason" in called.sentence


@pytest.mark.parametrize(
    ("changes", "code", "status", "says"),
    [
        ({}, 0, "ok", "All saved articles"),
        (
            {"breaker": "open", "failures": 3, "last_error": "h answered 503"},
            1,
            "degraded",
            "has not responded",
        ),
        ({"blocked_until": "2999-01-01T00:00Z"}, 1, "degraded", "rate limit"),
    ],
)
def test_health_exits_by_its_condition(changes, code, status, says):
    ProviderState.objects.create(name="openai", **changes)
    found, said = run("health")
    assert (found, said.splitlines()[0]) == (code, status)
    assert says in said
    found, said = run("health", "--json")
    told = json.loads(said)
    assert (found, told["status"]) == (code, status)
    assert told["providers"][0]["name"] == "openai"


def test_health_of_a_stuck_queue_is_down():
    QueueState.objects.update(is_paused=True, changed_by="vectorpress", reason="the provider refuses us")
    assert run("health")[0] == 1
    from_long_ago = make_space()
    make_tasks(1, from_long_ago, scheduled_at="2000-01-01T00:00Z")
    assert run("health")[0] == 2


def test_breaker_shows_each_provider_even_one_that_nothing_is_known_of():
    assert run("breaker") == (0, "openai: closed\n")


def test_breaker_shows_outages_limits_and_the_last_error():
    ProviderState.objects.create(
        name="openai", breaker="open", failures=3, retry_at="2000-01-01T00:00Z", last_error="h answered 503"
    )
    ProviderState.objects.create(name="ollama", blocked_until="2999-01-01T00:00Z")
    _, said = run("breaker")
    first, second = said.splitlines()
    assert first.startswith("ollama: closed; at its rate limit for")
    assert second.startswith("openai: open; out for 0 s, next try in 0 s")
    assert second.endswith("last error: h answered 503")
    assert [row["name"] for row in json.loads(run("breaker", "--json")[1])["providers"]] == [
        "ollama",
        "openai",
    ]


def test_breaker_resets_one_or_all():
    for name in ("openai", "ollama"):
        ProviderState.objects.create(name=name, breaker="open", retry_at="2999-01-01T00:00Z")
    run("breaker", "--reset", "--provider=ollama", "--reason=back")
    assert ProviderState.objects.get(name="ollama").breaker == "closed"
    assert ProviderState.objects.get(name="openai").breaker == "open"
    code, said = run("breaker", "--reset", "--reason=back")
    assert (code, said.splitlines()[0]) == (0, "reset: ollama, openai")
    assert not ProviderState.objects.exclude(breaker="closed").exists()
    assert AuditLog.objects.count() == 2


def test_an_unknown_provider_is_named_with_those_there_are():
    called = queue_admin("breaker", "--provider=opnai")
    assert (called.code, called.sentence) == (3, "there is no provider 'opnai'; there are openai")
