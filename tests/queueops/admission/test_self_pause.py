"""The queue pauses itself once when a provider refuses us, and overrules nobody."""

import pytest

from embeddings.providers.errors import ErrorClass, ProviderError
from queueops.admission import self_pause
from queueops.models import (
    AuditLog,
)
from queueops.operate import controls
from tests.queueops.operate.test_controls import queue

pytestmark = pytest.mark.django_db
REFUSED = ProviderError(ErrorClass.AUTH, "api.example answered 401: check the key")


def test_a_queue_that_an_operator_paused_keeps_the_operators_reason() -> None:
    controls.pause(actor="ada", reason="an upgrade")
    assert not self_pause.pause_itself("openai", REFUSED, 0.0)
    assert queue() == (True, "ada", "an upgrade")
    assert not AuditLog.objects.filter(level="error").exists()


def test_of_several_workers_that_are_refused_one_pauses_and_writes_it_down() -> None:
    assert [self_pause.pause_itself("openai", REFUSED, 0.0) for _ in range(3)] == [True, False, False]
    assert AuditLog.objects.filter(level="error").count() == 1


def test_a_batch_sent_before_an_operator_resumed_does_not_pause_again() -> None:
    self_pause.pause_itself("openai", REFUSED, 0.0)
    controls.resume(actor="ada")
    assert not self_pause.pause_itself("openai", REFUSED, 30.0)
    assert not queue()[0]
    assert self_pause.pause_itself("openai", REFUSED, 0.0)
