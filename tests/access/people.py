"""People who sign in, for tests: quick hashes that are counted, forms that are posted, codes of the present moment."""

import time
from typing import Any

from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.responses import Response

LOGIN = "/admin/login/"
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
