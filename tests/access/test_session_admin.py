"""Sessions are listed to their person, or to a superuser, and ended from the list."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from access.sessions import Session
from tests.access.people import (
    EVERYWHERE,
    HOME,
    OFFICE,
    SECRET,
    SESSION_LIST,
    CountingHasher,
    end_in_list,
    is_signed_in,
    key_of,
    make_ada,
    row_of,
    signed_in,
)
from tests.admin_rows import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(fresh_attempts: type[CountingHasher]) -> User:
    return make_ada()


def test_each_person_sees_their_own_sessions_and_a_superuser_all(ada: User) -> None:
    bob = make_person("bob")
    bob.set_password(SECRET)
    bob.save()
    adas, bobs = signed_in(HOME), signed_in(OFFICE, name="bob")
    assert HOME not in bobs.get(SESSION_LIST).content.decode()
    assert all(address in adas.get(SESSION_LIST).content.decode() for address in (HOME, OFFICE))
    page = f"{SESSION_LIST}{row_of(adas).pk}/change/"
    assert (bobs.get(page).status_code, adas.get(page).status_code) == (302, 200)
    assert key_of(adas) not in adas.get(SESSION_LIST).content.decode() + adas.get(page).content.decode()


def test_the_session_one_looks_from_is_marked_and_no_other(ada: User) -> None:
    adas = signed_in(HOME)
    signed_in(OFFICE)
    assert adas.get(SESSION_LIST).content.decode().count("this one") == 1


def test_a_person_ends_a_session_of_their_own_and_none_of_others(ada: User) -> None:
    make_ada(username="bob", is_superuser=True)
    User.objects.filter(username="bob").update(is_superuser=False)
    lost, here, adas = signed_in(HOME, "bob"), signed_in(OFFICE, "bob"), signed_in()
    end_in_list(here, row_of(lost), row_of(adas))
    assert (is_signed_in(lost), is_signed_in(here), is_signed_in(adas)) == (False, True, True)
    reply = end_in_list(here, row_of(here))
    assert (reply.status_code, reply["Location"]) == (302, "/admin/login/")
    assert not is_signed_in(here)


def test_a_superuser_ends_the_session_of_another(ada: User) -> None:
    make_ada(username="bob")
    bobs, adas = signed_in(HOME, "bob"), signed_in()
    page = end_in_list(adas, row_of(bobs))
    assert page.status_code == 302
    assert (is_signed_in(bobs), is_signed_in(adas)) == (False, True)


def test_sessions_are_changed_by_post_with_a_token_of_the_form_only(ada: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies["sessionid"] = key_of(signed_in())
    assert strict.post(EVERYWHERE).status_code == 403
    assert strict.post(SESSION_LIST, {"action": "end_sessions"}).status_code == 403
    assert strict.post("/admin/logout/").status_code == 403
    assert strict.get("/admin/logout/").status_code == 405
    assert strict.get(EVERYWHERE).status_code == 200
    assert Session.objects.count() == 1
