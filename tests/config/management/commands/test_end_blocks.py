"""`end_blocks` removes the blocks of a name or of an address before their time."""

import json

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.test import Client
from pytest_django import Settings

from tests.access.people import HOME, OFFICE, QUICK, make_ada, make_device, sign_in
from tests.config.management.commands.accounts import run, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(settings: Settings, clean_cache: None) -> User:
    settings.PASSWORD_HASHERS = QUICK
    return make_ada()


def fail_often(address: str = OFFICE, times: int = 10) -> None:
    for _ in range(times):
        sign_in(Client(), password="wrong", address=address)
    assert sign_in(Client(), address=address).status_code == 429


@pytest.mark.parametrize("whose", [["Ada"], ["--address", OFFICE]])
def test_a_block_ends_before_its_time(ada: User, whose: list[str]) -> None:
    fail_often()
    fail_often(HOME)
    reply = json.loads(run("end_blocks", *whose, "--reason", "asked by telephone", "--json"))
    assert reply == {"whose": whose[-1], "dry_run": False, "ended": 3 if whose == ["Ada"] else 2}
    assert sign_in(Client()).status_code == 302
    assert sign_in(Client(), address=HOME).status_code == (302 if whose == ["Ada"] else 429)
    assert written("blocks ended") == ("root", whose[-1], "asked by telephone")


def test_the_wait_after_wrong_codes_ends_with_the_blocks(ada: User) -> None:
    device = make_device(ada)
    device.throttle_increment()
    run("end_blocks", "ada", "--reason", "asked by telephone")
    device.refresh_from_db()
    assert device.throttling_failure_count == 0


def test_blocks_cannot_be_ended_while_redis_is_away(ada: User, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError, match="Redis does not answer") as refused:
        run("end_blocks", "ada", "--reason", "x")
    assert refused.value.returncode == 2
