"""The admin's site opens no page without the second factor where one is set up or required."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, get_resolver
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from access.sessions import Session
from tests.access.people import (
    CODE_PAGE,
    OFFICE,
    QUICK,
    SECOND_FACTOR_PAGE,
    is_signed_in,
    make_ada,
    make_device,
    set_up_second_factor,
    sign_in,
)
from tests.admin_rows import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(settings: Settings, clean_cache: None) -> User:
    settings.PASSWORD_HASHERS = QUICK
    return make_ada()


def test_a_session_from_before_the_second_factor_signs_in_again(client: Client, ada: User) -> None:
    client.force_login(ada)
    make_device(ada)
    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    assert not Session.objects.filter(user=ada).exists()


def test_required_lets_staff_without_one_reach_the_page_to_set_it_up_and_no_other(
    client: Client, ada: User, settings: Settings
) -> None:
    settings.STAFF_SECOND_FACTOR = "required"
    sign_in(client)
    assert client.get("/admin/")["Location"] == SECOND_FACTOR_PAGE
    assert client.get("/admin/login/")["Location"] == SECOND_FACTOR_PAGE
    page = client.get(SECOND_FACTOR_PAGE).content.decode()
    assert "This installation requires one for staff" in page
    set_up_second_factor(client, ada)
    assert is_signed_in(client)


def pages_of_the_admin() -> Iterator[str]:
    """Every address of the admin that takes no argument but a row's."""
    for one in get_resolver().url_patterns:
        if not isinstance(one, URLPattern) and str(one.pattern) == "admin/":
            yield from walk(one.url_patterns, "/admin/")


def walk(patterns: Any, prefix: str) -> Iterator[str]:
    for one in patterns:
        route = prefix + re.sub(r"<[^>]+>", "1", str(one.pattern)).replace("^", "").replace("$", "")
        if isinstance(one, URLPattern):
            yield route
        else:
            yield from walk(one.url_patterns, route)


@pytest.mark.parametrize("has_device", [False, True])
def test_no_page_or_reply_of_the_admin_is_open_without_it(
    client: Client, ada: User, settings: Settings, has_device: bool
) -> None:
    settings.STAFF_SECOND_FACTOR = "required"
    paths = [path for path in pages_of_the_admin() if "(?P" not in path]
    assert len(paths) > 60
    open_ones = {"/admin/login/", CODE_PAGE, "/admin/logout/"} | (
        set() if has_device else {SECOND_FACTOR_PAGE}
    )
    if has_device:
        make_device(ada)
    for path in paths:
        client.force_login(ada)
        for reply in (client.get(path), client.post(path)):
            assert path in open_ones or reply.status_code == 302, path
            assert path in open_ones or reply["Location"].startswith((SECOND_FACTOR_PAGE, "/admin/login/")), (
                path
            )


def test_one_without_it_can_sign_out(client: Client, ada: User, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = "required"
    client.force_login(ada)
    assert client.post("/admin/logout/").status_code == 200
    assert not Session.objects.filter(user=ada).exists()


def test_the_page_after_signing_out_says_so(client: Client, ada: User) -> None:
    sign_in(client)
    page = client.post("/admin/logout/", REMOTE_ADDR=OFFICE).content.decode()
    assert "You are signed out." in page
    assert "quality time" not in page
    assert 'href="/admin/"' in page


def test_who_is_not_of_the_staff_has_no_page_for_it(client: Client) -> None:
    client.force_login(User.objects.create(username="reader"))
    assert client.get(SECOND_FACTOR_PAGE).status_code == 302
    assert client.post(SECOND_FACTOR_PAGE, {"act": "start"}).status_code == 302
    assert not TOTPDevice.objects.exists()


def test_staff_with_few_rights_reach_their_own_pages(client: Client) -> None:
    client.force_login(make_person("bob"))
    for path in (SECOND_FACTOR_PAGE, "/admin/access/session/", "/admin/sign-out-everywhere/"):
        assert client.get(path).status_code == 200


def test_nobody_manages_the_devices_of_others_in_the_admin() -> None:
    assert not {model._meta.app_label for model in site._registry} & {"otp_totp", "otp_static"}
