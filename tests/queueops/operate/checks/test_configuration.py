"""Every setting is shown without its secret, and those that do not fit together are named."""

from typing import Any

import pytest
from pytest_django import Settings

from config import env
from config.env_source import FileSummary
from queueops.operate.checks import configuration
from tests.queueops.operate.checks.troubles import troubles


def test_every_setting_is_shown_with_its_origin_and_without_its_secret(settings: Settings) -> None:
    shown = {f.check.removeprefix("setting "): f.detail for f in configuration.check()}
    assert set(settings.ENVIRONMENT) <= set(shown)
    assert shown["EMBEDDING_MAX_RETRIES"] == "3 (default)"
    assert shown["AUTH_TOKEN"] == "**** (environment)"
    assert settings.AUTH_TOKEN not in str(shown)
    assert settings.SECRET_KEY not in str(shown)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:pw1@db/x", "postgresql://ada:****@db/x"),
        ("postgresql://ada@/x?host=/run&password=pw1", "postgresql://ada@/x?host=/run&password=****"),
        ("postgresql://ada:pa#pw1@db:5/x", "postgresql://ada:****@db:5/x"),
        ("postgresql://ada:p%3Fpw1@db/x?sslpassword=pw1", "postgresql://ada:****@db/x?sslpassword=****"),
    ],
)
def test_a_password_in_an_address_is_never_shown(
    url: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_DATABASE_URL", url)
    env.database("SOME_DATABASE_URL", "")
    assert env.readings()["SOME_DATABASE_URL"] == (shown, "environment", True)
    monkeypatch.setenv("SOME_REDIS_URL", "rediss://:pw1@broker:6379/1")
    env.redis_url("SOME_REDIS_URL", "")
    assert env.readings()["SOME_REDIS_URL"].value == "rediss://:****@broker:6379?db=1"


CONTRADICTIONS = [
    ({"EMBEDDING_QUEUE_ENABLED": False, "EMBEDDING_WORKER_TIMEOUT": 5_000}, "lease"),
    ({"EMBEDDING_WORKER_INTERVAL": 120_000}, "sweep"),
    ({"EMBEDDING_CLEANUP_INTERVAL": 48, "EMBEDDING_CLEANUP_RETENTION_DAYS": 1}, "cleanup"),
    ({"EMBEDDING_BATCH_SIZE": 1_000}, "batch"),
    ({"EMBEDDING_TOKENS_PER_MINUTE": 100}, "token limit"),
    ({"DEBUG": True, "HOST": "0.0.0.0"}, "debug"),
    ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://far.example/v1"}, "key in the clear"),
    ({"FAILPOINT": "claimed"}, "setting VECTORPRESS_FAILPOINT"),
]


@pytest.mark.parametrize(
    ("changes", "check"), CONTRADICTIONS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_settings_that_contradict_one_another_are_shown(
    changes: dict[str, Any], check: str, settings: Settings
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert set(troubles(configuration.check())) == {check}


def test_the_settings_of_these_tests_fit_together() -> None:
    assert not troubles(configuration.check())


def test_a_variable_that_nobody_reads_is_taken_for_a_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_BATCHSIZE", "5")
    found = troubles(configuration.check())
    assert (
        found["setting EMBEDDING_BATCHSIZE"].fix
        == "Check its name: rename it to EMBEDDING_BATCH_SIZE, if that was meant."
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"EMBEDDING_QUEUE_ENABLED": False, "EMBEDDING_WORKER_TIMEOUT": 10_001},
        {"EMBEDDING_QUEUE_ENABLED": True, "EMBEDDING_WORKER_TIMEOUT": 5_000},
        {"EMBEDDING_WORKER_INTERVAL": 60_000},
        {"EMBEDDING_CLEANUP_INTERVAL": 24, "EMBEDDING_CLEANUP_RETENTION_DAYS": 1},
        {"EMBEDDING_TOKENS_PER_MINUTE": 0},
        {"EMBEDDING_TOKENS_PER_MINUTE": 10**6},
        {"EMBEDDING_BATCH_SIZE": 0},
        {"DEBUG": True, "HOST": "127.0.0.1"},
        {"DEBUG": True, "HOST": "::1"},
        {"DEBUG": False, "HOST": "0.0.0.0"},
        {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://far.example/v1"},
        {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://localhost:1/v1"},
        {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "http://far.example/v1"},
    ],
    ids=str,
)
def test_settings_at_their_limits_are_accepted(changes: dict[str, Any], settings: Settings) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert not troubles(configuration.check())


def test_a_variable_that_is_like_none_of_ours_is_to_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_XYZZY_1234567890", "x")
    monkeypatch.setenv("SOMEBODY_ELSES", "x")
    found = troubles(configuration.check())
    assert set(found) == {"setting OLLAMA_XYZZY_1234567890"}
    assert "remove" in found["setting OLLAMA_XYZZY_1234567890"].fix
    assert "rename" not in found["setting OLLAMA_XYZZY_1234567890"].fix


def test_the_space_of_the_settings_has_no_row(settings: Settings) -> None:
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSIONS = "ollama", "own", 12
    space = configuration.in_settings()
    assert (space.provider, space.model, space.dimensions) == ("ollama", "own", 12)
    assert space._state.adding


FILE = FileSummary("/app/.env", frozenset({"AUTH_TOKEN", "PORT"}), False, False)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (FILE, ""),
        (
            FILE._replace(is_readable_by_all=True),
            "holds AUTH_TOKEN, and every user of this machine can read it",
        ),
        (FILE._replace(is_readable_by_all=True, names=frozenset({"PORT"})), ""),
        (FILE._replace(is_writable_by_all=True), "can be changed by every user of this machine"),
    ],
)
def test_a_file_of_settings_that_others_can_read_or_change_is_named(
    file: FileSummary, says: str, settings: Settings
) -> None:
    settings.ENV_FILE = file
    found = troubles(configuration.check())
    assert set(found) == ({"settings file"} if says else set())
    if says:
        assert says in found["settings file"].detail
        assert found["settings file"].fix == "chmod 600 /app/.env"


def test_unknown_names_in_the_file_are_named(settings: Settings) -> None:
    settings.ENV_FILE = FILE._replace(names=frozenset({"NODE_ENV", "EMBEDING_MODEL"}))
    found = troubles(configuration.check())
    assert set(found) == {"setting NODE_ENV", "setting EMBEDING_MODEL"}
