"""Sessions are listed, end when idle and for good, and can be ended by their person or a superuser."""

from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from access import sessions, signals
from access.sessions import Session
from tests.access.people import (
    HOME,
    OFFICE,
    SECRET,
    SESSION_LIST,
    CountingHasher,
    is_signed_in,
    key_of,
    make_ada,
    row_of,
    signed_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(fresh_attempts: type[CountingHasher]) -> User:
    return make_ada()


def test_a_session_says_whose_it_is_and_from_where_it_began(ada: User) -> None:
    row = row_of(signed_in(HOME, agent="Firefox\n\u202e" + "x" * 500))
    assert (row.user, row.address) == (ada, HOME)
    assert row.agent.startswith("Firefox??xxx")
    assert len(row.agent) == 200
    assert abs(row.began_at - timezone.now()) < timedelta(minutes=1)


def test_the_database_holds_no_key_that_opens_a_session(ada: User) -> None:
    client = signed_in()
    [kept] = Session.objects.values_list("pk", flat=True)
    assert kept != key_of(client)
    thief = Client()
    thief.cookies["sessionid"] = kept
    assert not is_signed_in(thief)


def test_an_idle_session_ends(ada: User, settings: Settings) -> None:
    settings.STAFF_IDLE_MINUTES = 30
    client = signed_in()
    Session.objects.update(seen_at=Now() - timedelta(minutes=29))
    assert is_signed_in(client)
    Session.objects.update(seen_at=Now() - timedelta(minutes=31))
    assert not is_signed_in(client)


def test_no_session_is_too_idle_where_the_setting_is_zero(ada: User, settings: Settings) -> None:
    settings.STAFF_IDLE_MINUTES = 0
    client = signed_in()
    Session.objects.update(seen_at=Now() - timedelta(days=6))
    assert is_signed_in(client)


def test_use_is_noted_once_a_minute(ada: User) -> None:
    client = signed_in()
    first = row_of(client).seen_at
    is_signed_in(client)
    assert row_of(client).seen_at == first
    Session.objects.update(seen_at=Now() - timedelta(minutes=2))
    is_signed_in(client)
    assert row_of(client).seen_at > first


def test_use_is_noted_though_the_last_was_noted_ahead_of_now(ada: User) -> None:
    """By a clock that has stepped back since; unnoted, the session would stay young for as long as that was ahead."""
    client = signed_in()
    Session.objects.update(seen_at=Now() + timedelta(hours=1))
    assert is_signed_in(client)
    assert row_of(client).seen_at < timezone.now() + timedelta(minutes=1)


def test_a_busy_session_ends_for_good_a_week_after_signing_in(ada: User) -> None:
    client = signed_in()
    ends = row_of(client).expire_date
    assert abs(ends - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)
    client.post(SESSION_LIST, {"action": "", "_selected_action": []})  # a message, so the session is written
    store = client.session
    store["something"] = 1
    store.save()
    assert row_of(client).expire_date == ends
    Session.objects.update(expire_date=Now() - timedelta(seconds=1))
    assert not is_signed_in(client)


def test_signing_in_removes_sessions_that_have_ended(ada: User, settings: Settings) -> None:
    settings.STAFF_IDLE_MINUTES = 30
    for change in ({"expire_date": Now() - timedelta(days=1)}, {"seen_at": Now() - timedelta(hours=1)}):
        signed_in()
        Session.objects.update(**change)
    signed_in()
    assert Session.objects.count() == 1


def test_clearsessions_removes_them_too(ada: User) -> None:
    signed_in(), signed_in()
    oldest = Session.objects.order_by("began_at").values("pk")[:1]
    Session.objects.filter(pk__in=list(oldest.values_list("pk", flat=True))).update(
        expire_date=Now() - timedelta(days=1)
    )
    call_command("clearsessions")
    assert Session.objects.count() == 1


def test_a_changed_password_ends_all_sessions_but_the_one_that_changed_it(ada: User) -> None:
    here, there = signed_in(), signed_in(HOME)
    new = {"new_password1": "another-long-one", "new_password2": "another-long-one"}
    reply = here.post("/admin/password_change/", {"old_password": SECRET} | new, REMOTE_ADDR=OFFICE)
    assert reply.status_code == 302
    assert (is_signed_in(here), is_signed_in(there)) == (True, False)
    assert Session.objects.count() == 1


def test_a_deleted_person_has_no_session(ada: User) -> None:
    client = signed_in()
    ada.delete()
    assert not is_signed_in(client)
    assert not Session.objects.exists()


def test_ending_sessions_says_how_many_and_whose(ada: User) -> None:
    signed_in(), signed_in()
    said = []
    receiver = lambda **fields: said.append(fields)  # noqa: E731
    signals.sessions_ended.connect(receiver)
    assert sessions.end(Session.objects.all(), name="root", reason="a lost laptop") == 2
    assert sessions.end(Session.objects.all(), name="root") == 0
    assert [(one["name"], one["whose"], one["count"]) for one in said] == [("root", "ada", 2)]


def test_an_unknown_cookie_is_not_a_session(ada: User) -> None:
    for value in ("", "x", "\x00" * 40, "é" * 40, "x" * 10_000, "../../etc/passwd"):
        client = Client()
        client.cookies["sessionid"] = value
        assert not is_signed_in(client)


def test_the_api_looks_for_no_session(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = Client()
    client.cookies["sessionid"] = "x" * 32
    with django_assert_num_queries(0):
        client.get("/api/nothing")
    assert django_settings.SESSION_ENGINE == "access.session_store"
