"""The store of sessions: keys are kept as hashes, and what has ended is empty. test_sessions.py has people in it."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from access.session_store import SessionStore
from access.sessions import Session, kept_key

pytestmark = pytest.mark.django_db


def saved(**data: object) -> str:
    """The key of a session with this data."""
    store = SessionStore()
    for name, value in data.items():
        store[name] = value
    store.save()
    assert store.session_key
    return store.session_key


def test_a_session_comes_back_by_its_key_and_by_no_other() -> None:
    key = saved(colour="teal")
    assert SessionStore(key)["colour"] == "teal"
    for other in (kept_key(key), key[:-1], key.upper() + "x", "", "\x00", "'", "x" * 10_000):
        store = SessionStore(other)
        assert store.get("colour") is None


def test_the_key_itself_is_nowhere_in_the_row() -> None:
    key = saved(colour="teal")
    row = Session.objects.values().get()
    assert key not in str(row)
    assert row["session_key"] == kept_key(key)


def test_an_unknown_key_is_never_taken_over() -> None:
    """A key of a stranger's choice would let the stranger in with it."""
    chosen = "a" * 32
    store = SessionStore(chosen)
    store["colour"] = "teal"
    store.save()
    assert store.session_key != chosen
    assert not SessionStore().exists(chosen)


def test_a_session_that_has_ended_is_empty_and_its_key_is_given_up() -> None:
    key = saved(colour="teal")
    Session.objects.update(expire_date=Now() - timedelta(seconds=1))
    store = SessionStore(key)
    assert store.get("colour") is None
    assert store.session_key is None


def test_deleting_is_by_key_and_of_one_alone() -> None:
    one, other = saved(), saved()
    SessionStore(one).delete()
    SessionStore().delete(None)
    SessionStore().delete("unknown")
    assert (SessionStore().exists(one), SessionStore().exists(other)) == (False, True)


def test_a_session_that_nobody_signed_in_to_has_begun_now() -> None:
    saved()
    row = Session.objects.get()
    assert (row.user_id, row.address, row.agent) == (None, "", "")
    assert abs(row.began_at - timezone.now()) < timedelta(minutes=1)


def test_all_that_have_ended_are_removed_together() -> None:
    ended, living = saved(), saved()
    Session.objects.filter(pk=kept_key(ended)).update(expire_date=Now() - timedelta(days=1))
    SessionStore.clear_expired()
    assert set(Session.objects.values_list("pk", flat=True)) == {kept_key(living)}


@pytest.mark.django_db(transaction=True)
def test_asynchronous_callers_take_the_same_way() -> None:
    async def work() -> None:
        store = SessionStore()
        await store.aset("colour", "teal")
        await store.asave()
        assert store.session_key
        assert await SessionStore(store.session_key).aget("colour") == "teal"
        assert await store.aexists(store.session_key)
        key = store.session_key
        await store.adelete()
        assert not await store.aexists(key)
        await sync_to_async(lambda: connection.close())()  # that of the thread

    asyncio.run(work())
