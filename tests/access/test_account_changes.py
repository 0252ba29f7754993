"""The sessions of an account end for good when it is closed or gets another password, whoever does it."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from access.sessions import Session
from queueops.models import AuditLog
from tests.access.people import HOME, OFFICE, SECRET, CountingHasher, is_signed_in, make_ada, sign_in

pytestmark = pytest.mark.django_db
NEW = "another-long-password"


@pytest.fixture
def ada(fresh_attempts: type[CountingHasher]) -> User:
    return make_ada()


@pytest.fixture
def bob(fresh_attempts: type[CountingHasher]) -> User:
    return make_ada(username="bob")


def signed_in(name: str, address: str = OFFICE) -> Client:
    client = Client()
    assert sign_in(client, name=name, address=address).status_code == 302
    return client


def ended() -> list[tuple[Any, ...]]:
    """Who ended whose sessions, from where, and why."""
    rows = AuditLog.objects.filter(message="sessions ended")
    return [
        (row.actor, *(row.metadata.get(key, "") for key in ("whose", "address", "reason"))) for row in rows
    ]


def closes_in_the_admin(admin: Client, person: User) -> None:
    fields = {"username": person.username, "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    page = admin.post(f"/admin/auth/user/{person.pk}/change/", fields, REMOTE_ADDR=HOME)
    assert page.status_code == 302


def sets_a_password_in_the_admin(admin: Client, person: User) -> None:
    fields = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    page = admin.post(f"/admin/auth/user/{person.pk}/password/", fields, REMOTE_ADDR=HOME)
    assert page.status_code == 302


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (closes_in_the_admin, "the account was closed"),
        (sets_a_password_in_the_admin, "the password was changed"),
    ],
)
def test_what_an_admin_does_to_somebody_ends_their_sessions_and_no_others(
    ada: User, bob: User, act: Callable[..., Any], reason: str
) -> None:
    admin, bobs = signed_in("ada", HOME), signed_in("bob")
    act(admin, bob)
    assert not Session.objects.filter(user=bob).exists()
    assert ended() == [("ada", "bob", HOME, reason)]
    assert is_signed_in(admin)
    User.objects.filter(pk=bob.pk).update(is_active=True)
    assert not is_signed_in(bobs)


def test_a_program_that_closes_an_account_ends_its_sessions_for_good(bob: User) -> None:
    bobs = signed_in("bob")
    bob.is_active = False
    bob.save()
    bob.is_active = True
    bob.save()
    assert not is_signed_in(bobs)
    assert [(whose, reason) for _, whose, _, reason in ended()] == [("bob", "the account was closed")]


def test_the_command_that_changes_a_password_ends_the_sessions(bob: User) -> None:
    signed_in("bob")
    with patch("getpass.getpass", return_value=NEW):
        call_command("changepassword", "bob")
    assert not Session.objects.exists()
    assert [(whose, reason) for _, whose, _, reason in ended()] == [("bob", "the password was changed")]


def test_who_changes_their_own_password_goes_on_here_and_is_signed_out_elsewhere(ada: User) -> None:
    here, there = signed_in("ada"), signed_in("ada", HOME)
    fields = {"old_password": SECRET, "new_password1": NEW, "new_password2": NEW}
    here.post("/admin/password_change/", fields, REMOTE_ADDR=OFFICE)
    assert (is_signed_in(here), is_signed_in(there)) == (True, False)
    assert ended() == [("ada", "ada", OFFICE, "the password was changed")]
    assert Session.objects.filter(user=ada).count() == 1


def test_a_save_that_changes_neither_ends_nothing(ada: User) -> None:
    here = signed_in("ada")
    ada.first_name = "Ada"
    ada.save()
    ada.save(update_fields=["last_name"])
    assert is_signed_in(here)
    assert ended() == []
