"""The operator's command: who acts, and how it exits where it cannot."""

from collections.abc import Callable

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction

from queueops.models import AuditLog
from queueops.monitoring import snapshot
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_worker
from tests.table_locks import rows_locked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _healthy() -> None:
    make_space()
    make_worker()


def run(*words: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    called = queue_admin(*words)
    return called.code, called.out


def test_without_a_name_the_actor_is_who_is_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    run("pause", "--reason=x")
    assert AuditLog.objects.get().actor == "grace"


@pytest.mark.parametrize("words", [["pause", "--reason= "], ["breaker", "--reset"]])
def test_an_act_without_a_reason_is_refused_in_a_sentence(words: list[str]) -> None:
    called = queue_admin(*words)
    assert called.code == 3
    assert "give a reason" in called.sentence


def test_the_actor_may_be_named_before_or_after_the_verb() -> None:
    for words in (["--actor=ada", "pause"], ["pause", "--actor=ada"]):
        queue_admin(*words, "--reason=x")
        assert snapshot.take().changed_by == "ada"


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
@pytest.mark.parametrize("word", ["health", "breaker"])
def test_a_database_that_does_not_answer_is_one_sentence(
    word: str, error: type[OperationalError | InterfaceError]
) -> None:
    with connection.execute_wrapper(_raising(error("connection refused\nis the server running?"))):
        called = queue_admin(word)
    assert (called.code, called.sentence) == (2, "the database does not answer: connection refused")


def test_a_stop_by_the_keyboard_is_distinguished() -> None:
    with connection.execute_wrapper(_raising(KeyboardInterrupt())):
        assert queue_admin("health").code == 130


def _raising(error: OperationalError | InterfaceError | KeyboardInterrupt) -> Callable[..., None]:
    def execute(*_: object) -> None:
        raise error

    return execute


def test_tables_that_are_not_there_are_named_with_the_remedy() -> None:
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE queue_state RENAME TO elsewhere")
        called = queue_admin("health")
        raise transaction.TransactionManagementError  # so that the table gets its name back
    assert called.code == 2
    assert called.sentence.startswith("the queue's tables do not exist")
    assert called.sentence.endswith("run python manage.py migrate")


@pytest.mark.django_db(transaction=True)
def test_a_locked_row_is_reported_in_a_whole_sentence() -> None:
    with rows_locked("queue_state"):
        called = queue_admin("pause", "--reason", "a test")
    assert called.code == 2
    assert (
        called.sentence
        == "another session locks a row that this needs; nothing was changed, retry in a moment"
    )
