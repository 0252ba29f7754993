"""`reset_second_factor` removes a second factor, ends the sessions, and writes it down."""

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from access import second_factor
from tests.access.people import QUICK, is_signed_in, make_ada, make_device, signed_in
from tests.config.management.commands.accounts import run, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(settings: Settings, clean_cache: None) -> User:
    settings.PASSWORD_HASHERS = QUICK
    return make_ada()


def test_a_second_factor_is_reset(ada: User) -> None:
    client = signed_in()
    make_device(ada)
    reply = run("reset_second_factor", "ada", "--reason", "the phone is lost")
    assert "ada signs in with the password alone" in reply
    assert not second_factor.has_device(ada)
    assert not is_signed_in(client)
    assert written("second factor: removed") == ("root", "ada", "the phone is lost")
