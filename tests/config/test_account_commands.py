"""The operator ends sessions and resets a second factor, with a reason, and it is written down."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from access import second_factor
from access.sessions import Session
from queueops.models import AuditLog
from tests.access.conftest import doors  # noqa: F401  a fixture
from tests.access.people import is_signed_in, make_ada, make_device, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("doors")]


@pytest.fixture
def ada():
    return make_ada()


def run(*words):
    out = StringIO()
    call_command(*words, "--actor", "root", "--yes", stdout=out)
    return out.getvalue()


def signed_in(name="ada"):
    client = Client()
    assert sign_in(client, name=name).status_code == 302
    return client


def written(message):
    row = AuditLog.objects.get(message=message)
    return row.actor, row.metadata["whose"], row.metadata["reason"]


def test_the_sessions_of_one_person_end(ada):
    make_ada(username="bob")
    adas, bobs = signed_in(), signed_in("bob")
    assert "Ended 1 sessions of ada" in run("end_sessions", "ada", "--reason", "a lost laptop")
    assert (is_signed_in(adas), is_signed_in(bobs)) == (False, True)
    assert written("sessions ended") == ("root", "ada", "a lost laptop")


def test_the_sessions_of_everybody_end(ada):
    signed_in(), signed_in()
    reply = json.loads(run("end_sessions", "--all", "--reason", "a leaked backup", "--json"))
    assert reply == {"whose": "everybody", "dry_run": False, "ended": 2}
    assert not Session.objects.exists()


def test_a_second_factor_is_reset(ada):
    client = signed_in()
    make_device(ada)
    reply = run("reset_second_factor", "ada", "--reason", "the phone is lost")
    assert "ada signs in with the password alone" in reply
    assert not second_factor.has_device(ada)
    assert not is_signed_in(client)
    assert written("second factor: removed") == ("root", "ada", "the phone is lost")


def test_a_dry_run_changes_nothing(ada):
    client = signed_in()
    make_device(ada)
    out = StringIO()
    for words in (["end_sessions", "ada"], ["reset_second_factor", "ada"]):
        call_command(*words, "--dry-run", "--reason", "a test", stdout=out)
    assert out.getvalue().count("Nothing was changed") == 2
    assert second_factor.has_device(ada)
    assert Session.objects.filter(user=ada).exists()
    assert client.cookies["sessionid"].value


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["end_sessions", "ada"], "give a reason"),
        (["end_sessions", "--reason", "x"], "give the name of a person, or --all"),
        (["end_sessions", "ada", "--all", "--reason", "x"], "give the name of a person, or --all"),
        (["end_sessions", "nobody", "--reason", "x"], "no account named 'nobody'"),
        (["end_sessions", "a\x00", "--reason", "x"], "no account named"),
        (["reset_second_factor", "nobody", "--reason", "x"], "no account named 'nobody'"),
        (["reset_second_factor", "ada", "--reason", "x"], "ada has no second factor"),
        (["reset_second_factor", "ada"], "give a reason"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(ada, words, sentence):
    with pytest.raises(CommandError, match=sentence) as refused:
        run(*words)
    assert refused.value.returncode == 3
