"""People who sign in, for tests: quick hashes that are counted, forms that are posted, codes of the present moment."""

import re
import time
from typing import Any

from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from access.sessions import Session, kept_key
from tests.responses import Response

LOGIN = "/admin/login/"
SECOND_FACTOR_PAGE, CODE_PAGE = "/admin/second-factor/", "/admin/login/code/"
SESSION_LIST, EVERYWHERE = "/admin/access/session/", "/admin/sign-out-everywhere/"
SECRET = "a-long-password"
OFFICE, HOME, ELSEWHERE = "203.0.113.7", "198.51.100.8", "192.0.2.9"


class CountingHasher(MD5PasswordHasher):
    """Quick, and counts what it computes."""

    computed = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.computed += 1
        return super().encode(password, salt)


QUICK = [f"{__name__}.CountingHasher"]


def make_ada(**fields: Any) -> User:
    """A superuser with the password SECRET."""
    return User.objects.create_superuser(fields.pop("username", "ada"), password=SECRET, **fields)


def sign_in(
    client: Client, password: str = SECRET, name: str = "ada", address: str = OFFICE, **more: Any
) -> Response:
    """The reply to a posted login form."""
    return client.post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR=address, **more)


def is_signed_in(client: Client) -> bool:
    return client.get("/admin/", REMOTE_ADDR=OFFICE).status_code == 200


def make_device(user: User) -> TOTPDevice:
    """A second factor that is on."""
    return TOTPDevice.objects.create(user=user, name="app", confirmed=True)


def code_of(device: TOTPDevice, steps: int = 0) -> str:
    """What the app shows, now or some steps of 30 seconds later."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time.time() + steps * device.step
    return f"{totp.token():06d}"


def act_on_second_factor(client: Client, act: str, code: str = "") -> Response:
    return client.post(SECOND_FACTOR_PAGE, {"act": act, "code": code}, REMOTE_ADDR=OFFICE)


def enter_code(client: Client, code: str, address: str = OFFICE) -> Response:
    return client.post(CODE_PAGE, {"code": code}, REMOTE_ADDR=address)


def set_up_second_factor(client: Client, user: User) -> list[str]:
    """The recovery codes that the page shows after the first code."""
    act_on_second_factor(client, "start")
    page = act_on_second_factor(client, "confirm", code_of(TOTPDevice.objects.get(user=user)))
    return re.findall(r"<code>([a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4})</code>", page.content.decode())


def next_code(device: TOTPDevice) -> str:
    """A code that was not used yet, whenever the last one was."""
    device.refresh_from_db()
    device.throttle_reset(commit=False)
    device.last_t = -1
    device.save()
    return code_of(device)


def signed_in(address: str = OFFICE, name: str = "ada", agent: str = "Firefox") -> Client:
    client = Client(headers={"user-agent": agent})
    assert sign_in(client, name=name, address=address).status_code == 302
    return client


def key_of(client: Client) -> str:
    return client.cookies["sessionid"].value


def row_of(client: Client) -> Session:
    return Session.objects.get(pk=kept_key(key_of(client)))


def end_in_list(client: Client, *rows: Session) -> Response:
    return client.post(SESSION_LIST, {"action": "end_sessions", "_selected_action": [row.pk for row in rows]})
