"""Blocks that are taken away before their time."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from redis.exceptions import RedisError

from access import unblocking
from access.attempts import CODE, PASSWORD, TOKEN, Door, TooManyAttempts, begin
from access.signals import blocks_ended
from tests.access.people import make_device

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_cache")]
A, B = "203.0.113.7", "198.51.100.8"


def fail(door: Door, name: str, address: str, times: int = 1) -> None:
    for _ in range(times):
        begin(door, name, address).failed()


def is_blocked(door: Door, name: str, address: str) -> bool:
    try:
        begin(door, name, address).withdrawn()
    except TooManyAttempts:
        return True
    return False


def end(keys: Iterable[str]) -> int:
    return unblocking.end(keys, actor="root", whose="ada", reason="a call")


def test_without_a_failure_there_is_nothing_to_end() -> None:
    assert unblocking.of_name("ada") == unblocking.of_address(A) == []
    assert end([]) == 0


def test_a_name_is_free_again_at_every_address_and_door_and_others_stay_as_they_are() -> None:
    fail(PASSWORD, "Ada", A, 10)
    fail(CODE, "ada", B, 10)
    fail(PASSWORD, "bob", B, 10)
    keys = unblocking.of_name("ADA")
    assert len(keys) == 4  # at one address and at all, at two doors
    assert end(keys) == 4
    assert unblocking.of_name("ada") == []
    assert not is_blocked(PASSWORD, "ada", A)
    assert not is_blocked(CODE, "ada", B)
    assert is_blocked(PASSWORD, "bob", B)


def test_an_address_is_free_again_for_every_name_and_token() -> None:
    fail(PASSWORD, "ada", A, 10)
    fail(TOKEN, "a hash", A, 120)
    fail(PASSWORD, "ada", B, 10)
    end(unblocking.of_address(A))
    assert not is_blocked(PASSWORD, "ada", A)
    assert not is_blocked(TOKEN, "another", A)
    assert is_blocked(PASSWORD, "ada", B)


def test_the_callers_of_one_ipv6_network_are_one_address() -> None:
    fail(PASSWORD, "ada", "2001:db8::1", 10)
    assert unblocking.of_address("2001:db8::2") == unblocking.of_address("2001:db8::1") != []
    assert unblocking.of_address("2001:db8:0:1::1") == []


def test_ending_a_block_resets_the_count_of_blocks() -> None:
    fail(PASSWORD, "ada", A, 10)
    end(unblocking.of_name("ada"))
    assert unblocking._redis().keys("*:blocks") == []


def test_a_name_that_looks_like_a_pattern_ends_its_own_counts_alone() -> None:
    fail(PASSWORD, "ada", A)
    for name in ("*", "???", "[a]da", "\\"):
        assert unblocking.of_name(name) == []


def test_the_wait_after_wrong_codes_ends_too_and_the_act_is_announced() -> None:
    ada = User.objects.create(username="Ada")
    device = make_device(ada)
    device.throttle_increment()
    heard = []

    def record(sender: object, **fields: Any) -> None:
        heard.append(fields)

    blocks_ended.connect(record)
    end([])
    blocks_ended.disconnect(record)
    device.refresh_from_db()
    assert device.throttling_failure_count == 0
    (only,) = heard
    assert (only["name"], only["whose"], only["count"], only["reason"]) == ("root", "ada", 0, "a call")


def test_a_redis_that_is_away_is_an_error(settings: Settings, tmp_path: Path) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody"
    with pytest.raises((RedisError, OSError)):
        unblocking.of_name("ada")
