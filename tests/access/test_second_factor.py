"""The second factor: set up, asked for, used up, taken away, and required where the setting says so."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from access import attempts, second_factor
from access.sessions import Session
from tests.access.people import (
    CODE_PAGE,
    HOME,
    SECOND_FACTOR_PAGE,
    CountingHasher,
    code_of,
    enter_code,
    is_signed_in,
    make_ada,
    make_device,
    next_code,
    set_up_second_factor,
    sign_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(fresh_attempts: type[CountingHasher]) -> User:
    return make_ada()


@pytest.fixture
def device(ada: User) -> TOTPDevice:
    return make_device(ada)


def test_the_password_alone_signs_nobody_in(client: Client, device: TOTPDevice) -> None:
    reply = sign_in(client)
    assert (reply.status_code, reply["Location"]) == (302, CODE_PAGE)
    for path in ("/admin/", SECOND_FACTOR_PAGE, "/admin/password_change/", "/admin/jsi18n/"):
        assert client.get(path).status_code == 302
    assert enter_code(client, code_of(device))["Location"] == "/admin/"
    assert is_signed_in(client)


def test_half_a_sign_in_opens_no_page_that_asks_for_a_person(
    client: Client, device: TOTPDevice, settings: Settings
) -> None:
    settings.PUBLIC_SEARCH = False
    sign_in(client)
    assert client.get("/").status_code == 302
    enter_code(client, code_of(device))
    assert client.get("/").status_code == 200


def test_one_lands_where_one_wanted_to_go_but_on_no_foreign_site(client: Client, device: TOTPDevice) -> None:
    for wanted, landed in (("/admin/auth/user/", "/admin/auth/user/"), ("https://evil.example/", "/admin/")):
        client.post(f"/admin/login/?next={wanted}", {"username": "ada", "password": "a-long-password"})
        assert enter_code(client, next_code(device))["Location"] == landed
        client.logout()


def test_a_failure_noted_ahead_of_now_locks_out_for_its_pause_only(
    client: Client, device: TOTPDevice
) -> None:
    sign_in(client)
    enter_code(client, "000000")
    device.refresh_from_db()
    device.throttling_failure_timestamp = timezone.now() + timedelta(hours=1)
    device.save()
    enter_code(client, "000000")
    device.refresh_from_db()
    assert device.throttling_failure_timestamp <= timezone.now()
    device.throttling_failure_timestamp -= timedelta(minutes=1)  # the pause is over
    device.save()
    enter_code(client, code_of(device))
    assert is_signed_in(client)


def test_a_code_is_good_once(client: Client, device: TOTPDevice) -> None:
    code = code_of(device)
    sign_in(client)
    assert enter_code(client, code).status_code == 302
    other = Client()
    sign_in(other)
    assert "wrong or was used already" in enter_code(other, code).content.decode()
    assert not is_signed_in(other)


def test_a_recovery_code_lets_in_once(client: Client, ada: User) -> None:
    sign_in(client)
    [first, *_] = set_up_second_factor(client, ada)
    for typed, works in ((first.upper().replace("-", " "), True), (first, False)):
        other = Client()
        sign_in(other)
        enter_code(other, typed)
        assert is_signed_in(other) is works
    assert second_factor.codes_left(ada) == 9


def test_a_code_of_another_person_or_an_unconfirmed_key_is_wrong(
    client: Client, ada: User, device: TOTPDevice
) -> None:
    bobs = make_device(make_ada(username="bob"))
    fresh = TOTPDevice.objects.create(user=ada, name="new", confirmed=False)
    for other in (bobs, fresh):
        sign_in(client)
        assert enter_code(client, code_of(other)).status_code in (200, 429)
        assert not is_signed_in(client)
        device.refresh_from_db()
        device.throttle_reset()


def test_codes_cannot_be_guessed_without_limit(client: Client, device: TOTPDevice) -> None:
    sign_in(client)
    statuses = []
    for number in range(attempts.CODE.rules[0].most + 3):
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
        statuses.append(enter_code(client, f"{number:06d}").status_code)
    assert statuses == [200] * 10 + [429] * 3
    refused = enter_code(client, next_code(device))
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert "Too many attempts" in refused.content.decode()


@pytest.mark.parametrize("code", ["", "x", "12345", "1234567", "१२३४५६", "\x00" * 6, "9" * 5_000, "-" * 30])
def test_strange_codes_are_wrong(client: Client, device: TOTPDevice, code: str) -> None:
    sign_in(client)
    assert enter_code(client, code).status_code == 200
    assert not is_signed_in(client)


def test_the_second_step_needs_the_first_and_lasts_five_minutes(
    client: Client, ada: User, device: TOTPDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert enter_code(client, code_of(device))["Location"] == "/admin/login/"
    sign_in(client)
    ada.set_password("another-long-password")
    ada.save()
    assert enter_code(client, code_of(device))["Location"] == "/admin/login/"
    ada.set_password("a-long-password")
    ada.save()
    monkeypatch.setattr(second_factor, "PENDING_SECONDS", -1)
    sign_in(client)
    assert enter_code(client, code_of(device))["Location"] == "/admin/login/"


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
    enter_code(client, code_of(device))
    assert len({before and before.value, pending, client.cookies["sessionid"].value}) == 3


def test_wrong_codes_from_elsewhere_block_there_only(client: Client, device: TOTPDevice) -> None:
    sign_in(client, address=HOME)
    for number in range(11):
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
        reply = enter_code(client, f"{number:06d}", address=HOME)
    assert reply.status_code == 429
    owner = Client()
    sign_in(owner)
    assert enter_code(owner, next_code(device)).status_code == 302
