"""An article's embedding over HTTP: how it stands in every space, and why."""

import pytest

from embeddings.models import Space
from queueops.engine import modes
from queueops.models import Mode, QueueState, Status
from queueops.models import Task as TaskRow
from tests.factories import Api, body
from tests.queueops.factories import make_article, make_space, make_worker
from tests.queueops.monitoring.test_article_status import embed


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


def test_the_api_explains_every_space(space: Space) -> None:
    building = Space.objects.create(
        version=101, provider="openai", model="next", dimensions=8, chunk_tokens=200, state="building"
    )
    make_worker()
    article = make_article()
    embed(article, space)
    TaskRow.objects.filter(space=building).update(
        status=Status.FAILED, attempts=3, error_class="too_long", error_message="9,000 tokens"
    )
    answer = body(Api().get(f"/articles/{article.slug}/embedding"))
    assert answer["why"] == "Found by meaning: version 1 is embedded in 1 chunk."
    serving, next_one = answer["spaces"]
    assert (serving["serving"], serving["state"], serving["current"]) == (True, "embedded", True)
    assert (next_one["serving"], next_one["state"]) == (False, "failed")
    assert (next_one["task"]["error_class"], next_one["task"]["error_message"]) == (
        "too_long",
        "9,000 tokens",
    )
    assert next_one["task"]["next_attempt_at"] is None


def test_a_pause_and_the_mode_are_shown(space: Space) -> None:
    QueueState.objects.update(is_paused=True, reason="maintenance", mode=Mode.DISABLED)
    modes.forget()
    article = make_article()
    answer = body(Api().get(f"/articles/{article.slug}/embedding"))
    assert (answer["paused"], answer["mode"]) == (True, "disabled")
    assert answer["spaces"][0]["state"] == "disabled"
