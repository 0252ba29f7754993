"""The second factor: set up, asked for, used up, taken away, and required where the setting says so."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from access import attempts, second_factor
from access.sessions import Session
from tests.access.people import (
    HOME,
    OFFICE,
    CountingHasher,
    code_of,
    is_signed_in,
    make_ada,
    make_device,
    sign_in,
)
from tests.admin_rows import make_person
from tests.responses import Response

pytestmark = pytest.mark.django_db
PAGE, CODE = "/admin/second-factor/", "/admin/login/code/"


@pytest.fixture
def ada(doors: type[CountingHasher]) -> User:
    return make_ada()


@pytest.fixture
def device(ada: User) -> TOTPDevice:
    return make_device(ada)


def act(client: Client, act: str, code: str = "") -> Response:
    return client.post(PAGE, {"act": act, "code": code}, REMOTE_ADDR=OFFICE)


def enter(client: Client, code: str, address: str = OFFICE) -> Response:
    return client.post(CODE, {"code": code}, REMOTE_ADDR=address)


def set_up(client: Client, user: User) -> list[str]:
    """The recovery codes that the page shows after the first code."""
    act(client, "start")
    page = act(client, "confirm", code_of(TOTPDevice.objects.get(user=user)))
    return re.findall(r"<code>([a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4})</code>", page.content.decode())


def next_code(device: TOTPDevice) -> str:
    """A code that was not used yet, whenever the last one was."""
    device.refresh_from_db()
    device.throttle_reset(commit=False)
    device.last_t = -1
    device.save()
    return code_of(device)


def test_it_is_set_up_by_a_code_of_the_new_key(client: Client, ada: User) -> None:
    sign_in(client)
    assert "The second factor is off" in client.get(PAGE).content.decode()
    page = act(client, "start")
    assert "no-store" in page["Cache-Control"]
    shown = page.content.decode()
    assert 'src="data:image/svg+xml' in shown
    device = TOTPDevice.objects.get(user=ada)
    assert device.config_url.split("secret=")[1].split("&")[0] in re.sub(r"[ \n]", "", shown)
    assert not second_factor.has_device(ada)
    assert "This code is wrong" in act(client, "confirm", "000000").content.decode()
    assert not second_factor.has_device(ada)
    device.throttle_reset()
    page = act(client, "confirm", code_of(device))
    assert "no-store" in page["Cache-Control"]
    assert len(re.findall(r"<code>[\w-]{14}</code>", page.content.decode())) == 10
    assert second_factor.has_device(ada)
    assert is_signed_in(client)


def test_a_refused_code_leaves_the_new_key_on_the_page(client: Client, ada: User) -> None:
    sign_in(client)
    act(client, "start")
    key = TOTPDevice.objects.get(user=ada).key
    for _ in range(attempts.CODE.rules[0].most):
        act(client, "confirm", "000000")
    refused = act(client, "confirm", "000000")
    page = refused.content.decode()
    assert (refused.status_code, "Too many attempts. Try again in 5 minutes;" in page) == (429, True)
    assert 'src="data:image/svg+xml' in page
    assert 'value="confirm"' in page
    assert 'value="start"' not in page
    assert TOTPDevice.objects.get(user=ada).key == key


def test_setting_it_up_ends_the_other_sessions(client: Client, ada: User) -> None:
    other = Client()
    sign_in(client), sign_in(other)
    set_up(client, ada)
    assert (is_signed_in(client), is_signed_in(other)) == (True, False)


def test_opening_the_page_changes_nothing_and_shows_no_key(client: Client, ada: User) -> None:
    sign_in(client)
    act(client, "start")
    device = TOTPDevice.objects.get()
    page = client.get(PAGE).content.decode()
    assert "data:image/svg" not in page
    assert TOTPDevice.objects.get().key == device.key


def test_recovery_codes_are_kept_as_hashes_and_shown_once(client: Client, ada: User) -> None:
    sign_in(client)
    codes = set_up(client, ada)
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert len(set(codes)) == len(kept) == 10
    assert not kept & {code.replace("-", "") for code in codes}
    assert not any(code in client.get(PAGE).content.decode() for code in codes)


def test_the_password_alone_signs_nobody_in(client: Client, device: TOTPDevice) -> None:
    reply = sign_in(client)
    assert (reply.status_code, reply["Location"]) == (302, CODE)
    for path in ("/admin/", PAGE, "/admin/password_change/", "/admin/jsi18n/"):
        assert client.get(path).status_code == 302
    assert enter(client, code_of(device))["Location"] == "/admin/"
    assert is_signed_in(client)


def test_half_a_sign_in_opens_no_page_that_asks_for_a_person(
    client: Client, device: TOTPDevice, settings: Settings
) -> None:
    settings.PUBLIC_SEARCH = False
    sign_in(client)
    assert client.get("/").status_code == 302
    enter(client, code_of(device))
    assert client.get("/").status_code == 200


def test_one_lands_where_one_wanted_to_go_but_on_no_foreign_site(client: Client, device: TOTPDevice) -> None:
    for wanted, landed in (("/admin/auth/user/", "/admin/auth/user/"), ("https://evil.example/", "/admin/")):
        client.post(f"/admin/login/?next={wanted}", {"username": "ada", "password": "a-long-password"})
        assert enter(client, next_code(device))["Location"] == landed
        client.logout()


def test_a_failure_noted_ahead_of_now_locks_out_for_its_pause_only(
    client: Client, device: TOTPDevice
) -> None:
    sign_in(client)
    enter(client, "000000")
    device.refresh_from_db()
    device.throttling_failure_timestamp = timezone.now() + timedelta(hours=1)
    device.save()
    enter(client, "000000")
    device.refresh_from_db()
    assert device.throttling_failure_timestamp <= timezone.now()
    device.throttling_failure_timestamp -= timedelta(minutes=1)  # the pause is over
    device.save()
    enter(client, code_of(device))
    assert is_signed_in(client)


def test_a_code_is_good_once(client: Client, device: TOTPDevice) -> None:
    code = code_of(device)
    sign_in(client)
    assert enter(client, code).status_code == 302
    other = Client()
    sign_in(other)
    assert "wrong or was used already" in enter(other, code).content.decode()
    assert not is_signed_in(other)


def test_a_recovery_code_lets_in_once(client: Client, ada: User) -> None:
    sign_in(client)
    [first, *_] = set_up(client, ada)
    for typed, works in ((first.upper().replace("-", " "), True), (first, False)):
        other = Client()
        sign_in(other)
        enter(other, typed)
        assert is_signed_in(other) is works
    assert second_factor.codes_left(ada) == 9


def test_a_code_of_another_person_or_an_unconfirmed_key_is_wrong(
    client: Client, ada: User, device: TOTPDevice
) -> None:
    bobs = make_device(make_ada(username="bob"))
    fresh = TOTPDevice.objects.create(user=ada, name="new", confirmed=False)
    for other in (bobs, fresh):
        sign_in(client)
        assert enter(client, code_of(other)).status_code in (200, 429)
        assert not is_signed_in(client)
        device.refresh_from_db()
        device.throttle_reset()


def test_codes_cannot_be_guessed_without_limit(client: Client, device: TOTPDevice) -> None:
    sign_in(client)
    statuses = []
    for number in range(attempts.CODE.rules[0].most + 3):
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
        statuses.append(enter(client, f"{number:06d}").status_code)
    assert statuses == [200] * 10 + [429] * 3
    refused = enter(client, next_code(device))
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert "Too many attempts" in refused.content.decode()


@pytest.mark.parametrize("code", ["", "x", "12345", "1234567", "१२३४५६", "\x00" * 6, "9" * 5_000, "-" * 30])
def test_strange_codes_are_wrong(client: Client, device: TOTPDevice, code: str) -> None:
    sign_in(client)
    assert enter(client, code).status_code == 200
    assert not is_signed_in(client)


def test_the_second_step_needs_the_first_and_lasts_five_minutes(
    client: Client, ada: User, device: TOTPDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert enter(client, code_of(device))["Location"] == "/admin/login/"
    sign_in(client)
    ada.set_password("another-long-password")
    ada.save()
    assert enter(client, code_of(device))["Location"] == "/admin/login/"
    ada.set_password("a-long-password")
    ada.save()
    monkeypatch.setattr(second_factor, "PENDING_SECONDS", -1)
    sign_in(client)
    assert enter(client, code_of(device))["Location"] == "/admin/login/"


def test_sessions_that_wait_for_a_code_end_soon_and_are_removed_by_the_next_one(device: TOTPDevice) -> None:
    for _ in range(3):
        sign_in(Client())
    assert Session.objects.count() == 3
    assert all(row.expire_date <= timezone.now() + timedelta(minutes=10) for row in Session.objects.all())
    Session.objects.update(expire_date=Now() - timedelta(minutes=1))
    sign_in(Client())
    assert Session.objects.count() == 1


def test_the_second_step_has_a_session_key_of_its_own(client: Client, device: TOTPDevice) -> None:
    client.get("/admin/login/")
    before = client.cookies.get("sessionid")
    sign_in(client)
    pending = client.cookies["sessionid"].value
    enter(client, code_of(device))
    assert len({before and before.value, pending, client.cookies["sessionid"].value}) == 3


def test_new_recovery_codes_and_turning_it_off_need_a_code(client: Client, ada: User) -> None:
    sign_in(client)
    codes = set_up(client, ada)
    device = TOTPDevice.objects.get()
    for what in ("codes", "remove"):
        assert "This code is wrong" in act(client, what, "000000").content.decode()
        device.refresh_from_db()
        device.throttle_reset()
    fresh = act(client, "codes", codes[0]).content.decode()
    assert len(re.findall(r"<code>[\w-]{14}</code>", fresh)) == 10
    assert second_factor.codes_left(ada) == 10
    assert "wrong" in act(client, "remove", codes[1]).content.decode()
    assert "now off" in act(client, "remove", next_code(device)).content.decode()
    assert not TOTPDevice.objects.exists()
    assert is_signed_in(client)


def test_another_device_is_not_set_up_beside_one_that_is_on(client: Client, ada: User) -> None:
    sign_in(client)
    set_up(client, ada)
    key = TOTPDevice.objects.get().key
    act(client, "start")
    act(client, "confirm", "000000")
    assert [device.key for device in TOTPDevice.objects.all()] == [key]


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
    assert client.get("/admin/")["Location"] == PAGE
    assert client.get("/admin/login/")["Location"] == PAGE
    page = client.get(PAGE).content.decode()
    assert "This installation requires one for staff" in page
    set_up(client, ada)
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
    open_ones = {"/admin/login/", CODE, "/admin/logout/"} | (set() if has_device else {PAGE})
    if has_device:
        make_device(ada)
    for path in paths:
        client.force_login(ada)
        for reply in (client.get(path), client.post(path)):
            assert path in open_ones or reply.status_code == 302, path
            assert path in open_ones or reply["Location"].startswith((PAGE, "/admin/login/")), path


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


def test_who_is_not_of_the_staff_has_no_page_for_it(client: Client, doors: type[CountingHasher]) -> None:
    client.force_login(User.objects.create(username="reader"))
    assert client.get(PAGE).status_code == 302
    assert client.post(PAGE, {"act": "start"}).status_code == 302
    assert not TOTPDevice.objects.exists()


def test_each_change_is_a_post_with_a_token_of_the_form(ada: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert strict.post(PAGE, {"act": "start"}).status_code == 403
    assert strict.post(CODE, {"code": "000000"}).status_code == 403
    assert strict.get(f"{PAGE}?act=start").status_code == 200
    assert not TOTPDevice.objects.exists()


def test_staff_with_few_rights_reach_their_own_pages(client: Client, doors: type[CountingHasher]) -> None:
    client.force_login(make_person("bob"))
    for path in (PAGE, "/admin/access/session/", "/admin/sign-out-everywhere/"):
        assert client.get(path).status_code == 200


def test_nobody_manages_the_devices_of_others_in_the_admin() -> None:
    assert not {model._meta.app_label for model in site._registry} & {"otp_totp", "otp_static"}


def test_wrong_codes_from_elsewhere_block_there_only(client: Client, device: TOTPDevice) -> None:
    sign_in(client, address=HOME)
    for number in range(11):
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
        reply = enter(client, f"{number:06d}", address=HOME)
    assert reply.status_code == 429
    owner = Client()
    sign_in(owner)
    assert enter(owner, next_code(device)).status_code == 302
