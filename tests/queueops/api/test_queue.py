"""The routes below /queue: for operators alone."""

import pytest

from access.models import Scope
from queueops.models import AuditLog
from tests.factories import Api, make_token, problem
from tests.queueops.api.test_acts import ALL

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "verb", ["retry", "cancel", "clear", "pause", "resume", "stop", "start", "emergency-stop", "mode"]
)
def test_nothing_is_changed_for_a_token_without_the_scope(verb: str) -> None:
    _, token = make_token(Scope.READ, Scope.WRITE)
    problem(Api(token).post(f"/queue/{verb}", ALL), 403)
    assert not AuditLog.objects.exists()
