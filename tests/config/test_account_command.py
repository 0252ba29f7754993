"""The operator ends sessions and tokens and resets a second factor, and it is written down."""

import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from access import bootstrap, second_factor
from access.sessions import Session
from queueops.models import AuditLog
from tests.access.conftest import doors  # noqa: F401  a fixture
from tests.access.people import HOME, OFFICE, is_signed_in, make_ada, make_device, sign_in
from tests.access.test_auth import is_refused
from tests.factories import make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("doors")]


@pytest.fixture
def ada() -> User:
    return make_ada()


def run(*words: Any) -> str:
    out = StringIO()
    call_command(*words, "--actor", "root", "--yes", stdout=out)
    return out.getvalue()


def signed_in(name: str = "ada") -> Client:
    client = Client()
    assert sign_in(client, name=name).status_code == 302
    return client


def written(message: str) -> tuple[Any, ...]:
    row = AuditLog.objects.get(message=message)
    return row.actor, row.metadata["whose"], row.metadata["reason"]


def test_the_sessions_of_one_person_end(ada: User) -> None:
    make_ada(username="bob")
    adas, bobs = signed_in(), signed_in("bob")
    assert "Ended 1 session of ada." in run("end_sessions", "ada", "--reason", "a lost laptop")
    assert (is_signed_in(adas), is_signed_in(bobs)) == (False, True)
    assert written("sessions ended") == ("root", "ada", "a lost laptop")


def test_a_person_without_a_session_is_said_to_have_none(ada: User) -> None:
    assert run("end_sessions", "ada", "--reason", "a lost laptop") == "ada has no sessions.\n"


def test_the_sessions_of_everybody_end(ada: User) -> None:
    signed_in(), signed_in()
    reply = json.loads(run("end_sessions", "--all", "--reason", "a leaked backup", "--json"))
    assert reply == {"whose": "everybody", "dry_run": False, "ended": 2}
    assert not Session.objects.exists()


def test_a_second_factor_is_reset(ada: User) -> None:
    client = signed_in()
    make_device(ada)
    reply = run("reset_second_factor", "ada", "--reason", "the phone is lost")
    assert "ada signs in with the password alone" in reply
    assert not second_factor.has_device(ada)
    assert not is_signed_in(client)
    assert written("second factor: removed") == ("root", "ada", "the phone is lost")


def fail_often(address: str = OFFICE, times: int = 10) -> None:
    for _ in range(times):
        sign_in(Client(), password="wrong", address=address)
    assert sign_in(Client(), address=address).status_code == 429


@pytest.mark.parametrize("whose", [["Ada"], ["--address", OFFICE]])
def test_a_block_ends_before_its_time(ada: User, whose: list[str]) -> None:
    fail_often()
    fail_often(HOME)
    reply = json.loads(run("end_blocks", *whose, "--reason", "asked by telephone", "--json"))
    assert reply == {"whose": whose[-1], "dry_run": False, "ended": 3 if whose == ["Ada"] else 2}
    assert sign_in(Client()).status_code == 302
    assert sign_in(Client(), address=HOME).status_code == (302 if whose == ["Ada"] else 429)
    assert written("blocks ended") == ("root", whose[-1], "asked by telephone")


def test_the_wait_after_wrong_codes_ends_with_the_blocks(ada: User) -> None:
    device = make_device(ada)
    device.throttle_increment()
    run("end_blocks", "ada", "--reason", "asked by telephone")
    device.refresh_from_db()
    assert device.throttling_failure_count == 0


def test_blocks_cannot_be_ended_while_redis_is_away(ada: User, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError, match="Redis does not answer") as refused:
        run("end_blocks", "ada", "--reason", "x")
    assert refused.value.returncode == 2


def test_a_dry_run_changes_nothing(ada: User) -> None:
    client = signed_in()
    make_device(ada)
    out = StringIO()
    for words in (["end_sessions", "ada"], ["reset_second_factor", "ada"]):
        call_command(*words, "--dry-run", "--reason", "a test", stdout=out)
    assert out.getvalue().count("Nothing was changed") == 2
    assert second_factor.has_device(ada)
    assert Session.objects.filter(user=ada).exists()
    assert client.cookies["sessionid"].value


@pytest.mark.parametrize("form", ["{}", "vp_{}", "vp_{}_…"])
def test_revoke_token_ends_a_token_by_its_id(form: str) -> None:
    row, text = make_token()
    shown = run("revoke_token", form.format(row.prefix), "--reason", "it was in a log")
    assert "is revoked" in shown
    assert is_refused(text)
    assert "is revoked already" in run("revoke_token", row.prefix)
    entry = AuditLog.objects.get(message="API token revoked")
    assert (entry.actor, entry.metadata["reason"]) == ("root", "it was in a log")


@pytest.mark.parametrize("place", ["argument", "standard input"])
def test_revoke_token_finds_a_leaked_text(
    place: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.AUTH_TOKEN = "a text of an operator's own, without a prefix"
    bootstrap.ensure(actor="first start")
    for text in (make_token()[1], settings.AUTH_TOKEN):
        monkeypatch.setattr("sys.stdin", StringIO(f"{text}\n"))
        reply = json.loads(run("revoke_token", text if place == "argument" else "-", "--json"))
        assert reply.pop("token") not in {"", text}
        assert reply["is_revoked"] is True
        assert is_refused(text)


def test_revoke_token_asks_unless_yes_is_given() -> None:
    row, text = make_token()
    with pytest.raises(CommandError, match="Add --yes to proceed") as refused:
        call_command("revoke_token", row.prefix, stdout=StringIO())
    assert refused.value.returncode == 3
    call_command("revoke_token", row.prefix, "--dry-run", stdout=(out := StringIO()))
    assert "Nothing was changed" in out.getvalue()
    assert not is_refused(text)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["end_sessions", "ada"], "give a reason"),
        (["end_blocks", "ada"], "give a reason"),
        (["end_blocks", "--reason", "x"], "give the name of an account, or --address"),
        (
            ["end_blocks", "ada", "--address", OFFICE, "--reason", "x"],
            "give the name of an account, or --address",
        ),
        (["end_blocks", "--address", "office", "--reason", "x"], "invalid address 'office'"),
        (["end_sessions", "--reason", "x"], "give the name of an account, or --all"),
        (["end_sessions", "ada", "--all", "--reason", "x"], "give the name of an account, or --all"),
        (["end_sessions", "nobody", "--reason", "x"], "unknown account 'nobody'"),
        (["end_sessions", "a\x00", "--reason", "x"], "unknown account"),
        (["reset_second_factor", "nobody", "--reason", "x"], "unknown account 'nobody'"),
        (["reset_second_factor", "ada", "--reason", "x"], "ada has no second factor"),
        (["reset_second_factor", "ada"], "give a reason"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(ada: User, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as refused:
        run(*words)
    assert refused.value.returncode == 3
