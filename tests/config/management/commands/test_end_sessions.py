"""`end_sessions` ends the sessions of an account, or of all, and writes it down."""

import json

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from access.sessions import Session
from tests.access.people import QUICK, is_signed_in, make_ada, signed_in
from tests.config.management.commands.accounts import run, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(settings: Settings, clean_cache: None) -> User:
    settings.PASSWORD_HASHERS = QUICK
    return make_ada()


def test_the_sessions_of_one_person_end(ada: User) -> None:
    make_ada(username="bob")
    adas, bobs = signed_in(), signed_in(name="bob")
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
