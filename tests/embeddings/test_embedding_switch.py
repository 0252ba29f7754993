"""Whether texts may be sent to a provider at all."""

import pytest
from pytest_django import Settings

from embeddings import embedding_switch


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_switch, "_decide", embedding_switch._as_the_settings_say)


@pytest.mark.parametrize("is_on", [True, False])
def test_without_a_room_above_the_settings_decide(settings: Settings, is_on: bool) -> None:
    settings.SEMANTIC_SEARCH_ENABLED = is_on
    assert embedding_switch.is_on() is is_on


@pytest.mark.parametrize("is_on", [True, False])
def test_a_room_above_decides_at_each_question(settings: Settings, is_on: bool) -> None:
    settings.SEMANTIC_SEARCH_ENABLED = not is_on
    asked: list[bool] = []

    def decide() -> bool:
        asked.append(True)
        return is_on

    embedding_switch.decided_by(decide)
    assert [embedding_switch.is_on(), embedding_switch.is_on()] == [is_on, is_on]
    assert len(asked) == 2
