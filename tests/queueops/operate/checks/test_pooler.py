"""Without a pooler there is nothing to find: each connection keeps its session, and the settings of its start."""

import pytest

from queueops.operate.checks import pooler

pytestmark = pytest.mark.django_db


def test_of_a_server_without_a_pooler_nothing_is_found() -> None:
    assert list(pooler.check()) == []


def test_two_connections_to_the_server_have_a_session_each() -> None:
    with pooler._connection() as one, pooler._connection() as other:
        assert not pooler._takes_turns(one, other)
        assert not pooler.is_shared_by_transaction(one)


def test_one_connection_in_the_place_of_two_takes_turns() -> None:
    with pooler._connection() as one:
        assert pooler._takes_turns(one, one)


def test_the_server_takes_the_settings_of_a_start() -> None:
    assert list(pooler._settings()) == []
    with pooler._connection(options="-c lock_timeout=4321ms") as session:
        assert pooler._value(session, "SHOW lock_timeout") == "4321ms"
