"""The pages of one's own account: the second factor is set up and turned off, and all sessions are ended."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import attempts, second_factor
from tests.access.people import (
    CODE_PAGE,
    EVERYWHERE,
    HOME,
    SECOND_FACTOR_PAGE,
    CountingHasher,
    act_on_second_factor,
    code_of,
    is_signed_in,
    make_ada,
    next_code,
    set_up_second_factor,
    sign_in,
    signed_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(fresh_attempts: type[CountingHasher]) -> User:
    return make_ada()


def test_it_is_set_up_by_a_code_of_the_new_key(client: Client, ada: User) -> None:
    sign_in(client)
    assert "The second factor is off" in client.get(SECOND_FACTOR_PAGE).content.decode()
    page = act_on_second_factor(client, "start")
    assert "no-store" in page["Cache-Control"]
    shown = page.content.decode()
    assert 'src="data:image/svg+xml' in shown
    device = TOTPDevice.objects.get(user=ada)
    assert device.config_url.split("secret=")[1].split("&")[0] in re.sub(r"[ \n]", "", shown)
    assert not second_factor.has_device(ada)
    assert "This code is wrong" in act_on_second_factor(client, "confirm", "000000").content.decode()
    assert not second_factor.has_device(ada)
    device.throttle_reset()
    page = act_on_second_factor(client, "confirm", code_of(device))
    assert "no-store" in page["Cache-Control"]
    assert len(re.findall(r"<code>[\w-]{14}</code>", page.content.decode())) == 10
    assert second_factor.has_device(ada)
    assert is_signed_in(client)


def test_a_refused_code_leaves_the_new_key_on_the_page(client: Client, ada: User) -> None:
    sign_in(client)
    act_on_second_factor(client, "start")
    key = TOTPDevice.objects.get(user=ada).key
    for _ in range(attempts.CODE.rules[0].most):
        act_on_second_factor(client, "confirm", "000000")
    refused = act_on_second_factor(client, "confirm", "000000")
    page = refused.content.decode()
    assert (refused.status_code, "Too many attempts. Try again in 5 minutes;" in page) == (429, True)
    assert 'src="data:image/svg+xml' in page
    assert 'value="confirm"' in page
    assert 'value="start"' not in page
    assert TOTPDevice.objects.get(user=ada).key == key


def test_setting_it_up_ends_the_other_sessions(client: Client, ada: User) -> None:
    other = Client()
    sign_in(client), sign_in(other)
    set_up_second_factor(client, ada)
    assert (is_signed_in(client), is_signed_in(other)) == (True, False)


def test_opening_the_page_changes_nothing_and_shows_no_key(client: Client, ada: User) -> None:
    sign_in(client)
    act_on_second_factor(client, "start")
    device = TOTPDevice.objects.get()
    page = client.get(SECOND_FACTOR_PAGE).content.decode()
    assert "data:image/svg" not in page
    assert TOTPDevice.objects.get().key == device.key


def test_recovery_codes_are_kept_as_hashes_and_shown_once(client: Client, ada: User) -> None:
    sign_in(client)
    codes = set_up_second_factor(client, ada)
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert len(set(codes)) == len(kept) == 10
    assert not kept & {code.replace("-", "") for code in codes}
    assert not any(code in client.get(SECOND_FACTOR_PAGE).content.decode() for code in codes)


def test_new_recovery_codes_and_turning_it_off_need_a_code(client: Client, ada: User) -> None:
    sign_in(client)
    codes = set_up_second_factor(client, ada)
    device = TOTPDevice.objects.get()
    for what in ("codes", "remove"):
        assert "This code is wrong" in act_on_second_factor(client, what, "000000").content.decode()
        device.refresh_from_db()
        device.throttle_reset()
    fresh = act_on_second_factor(client, "codes", codes[0]).content.decode()
    assert len(re.findall(r"<code>[\w-]{14}</code>", fresh)) == 10
    assert second_factor.codes_left(ada) == 10
    assert "wrong" in act_on_second_factor(client, "remove", codes[1]).content.decode()
    assert "now off" in act_on_second_factor(client, "remove", next_code(device)).content.decode()
    assert not TOTPDevice.objects.exists()
    assert is_signed_in(client)


def test_another_device_is_not_set_up_beside_one_that_is_on(client: Client, ada: User) -> None:
    sign_in(client)
    set_up_second_factor(client, ada)
    key = TOTPDevice.objects.get().key
    act_on_second_factor(client, "start")
    act_on_second_factor(client, "confirm", "000000")
    assert [device.key for device in TOTPDevice.objects.all()] == [key]


def test_each_change_is_a_post_with_a_token_of_the_form(ada: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert strict.post(SECOND_FACTOR_PAGE, {"act": "start"}).status_code == 403
    assert strict.post(CODE_PAGE, {"code": "000000"}).status_code == 403
    assert strict.get(f"{SECOND_FACTOR_PAGE}?act=start").status_code == 200
    assert not TOTPDevice.objects.exists()


def test_signing_out_everywhere_ends_every_session_of_the_person_and_no_other(ada: User) -> None:
    make_ada(username="bob")
    bobs, here, there = signed_in(HOME, "bob"), signed_in(), signed_in(HOME)
    assert "End your 2 sessions?" in here.get(EVERYWHERE).content.decode()
    assert here.post(EVERYWHERE)["Location"] == "/admin/login/"
    assert [is_signed_in(client) for client in (here, there, bobs)] == [False, False, True]
