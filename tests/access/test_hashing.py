"""At most two hashes at once, whatever comes in."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import Settings

from access import hashing
from access.attempts import TooManyAttempts
from tests.access.people import QUICK, CountingHasher, sign_in
from tests.waiting import wait_until


class SlowHasher(CountingHasher):
    """Waits for the test within each hash, and knows how many are computed at once."""

    at_once, most = 0, 0
    go_on = threading.Event()
    lock = threading.Lock()

    def encode(self, password: str, salt: str) -> str:
        with SlowHasher.lock:
            SlowHasher.at_once += 1
            SlowHasher.most = max(SlowHasher.most, SlowHasher.at_once)
        assert SlowHasher.go_on.wait(30)
        with SlowHasher.lock:
            SlowHasher.at_once -= 1
        return super().encode(password, salt)


@pytest.mark.django_db(transaction=True)
def test_of_twelve_at_once_two_are_hashed_two_wait_and_the_others_are_refused_at_once(
    settings: Settings, clean_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.SlowHasher", *QUICK]
    monkeypatch.setattr(hashing, "_PATIENCE_SECONDS", 30)
    SlowHasher.go_on.clear()
    replies = []

    def guess(number: int) -> None:
        replies.append(sign_in(Client(), "wrong", name=f"nobody-{number}", address=f"203.0.113.{number}"))
        connection.close()

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(replies) == 8, 30, "the refusals")
    assert {reply.status_code for reply in replies} == {429}
    assert all(int(reply["Retry-After"]) > 0 for reply in replies)
    SlowHasher.go_on.set()
    for thread in threads:
        thread.join(30)
    assert sorted(reply.status_code for reply in replies) == [200] * 4 + [429] * 8
    assert SlowHasher.most == hashing.AT_ONCE == 2
    assert not User.objects.exists()


def test_a_caller_that_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_PATIENCE_SECONDS", 0.05)
    with hashing.slot(), hashing.slot(), pytest.raises(TooManyAttempts), hashing.slot():
        pass
    with hashing.slot(), hashing.slot():
        pass


@pytest.mark.django_db
def test_a_refusal_for_want_of_room_is_not_counted_as_a_failure(
    client: Client, fresh_attempts: type[CountingHasher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_PATIENCE_SECONDS", 0.01)
    with hashing.slot(), hashing.slot():
        assert [sign_in(client).status_code for _ in range(40)] == [429] * 40
    assert sign_in(client, "wrong").status_code == 200
