"""What the fake provider can be told."""

from typing import Any

import pytest

from embeddings.servers.fake_provider.settings import FAULTS, Settings, SettingsError


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"dimensions": "16"}, "dimensions", 16),
        ({"rate_429": "0.5"}, "rate_429", 0.5),
        ({"rate_429": 1}, "rate_429", 1.0),
        ({"retry_after": 7}, "retry_after", "7"),
        ({"retry_after": 1.5}, "retry_after", "1.5"),
        ({"retry_after": ""}, "retry_after", ""),
        ({"fail_next": list(FAULTS)}, "fail_next", FAULTS),
        ({"one_by_one": "true"}, "one_by_one", True),
    ],
)
def test_a_change_holds_and_leaves_the_rest(changes: dict[str, Any], name: str, value: object) -> None:
    before = Settings(latency_ms=7)
    after = before.changed(changes)
    assert getattr(after, name) == value
    assert (after.latency_ms, before) == (7, Settings(latency_ms=7))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"nope": 1}, "nope"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 16_001}, "dimensions"),
        ({"dimensions": "x"}, "dimensions"),
        ({"rate_429": 1.1}, "rate_429"),
        ({"rate_500": -0.1}, "rate_500"),
        ({"latency_ms": float("nan")}, "latency_ms"),
        ({"hang_s": float("inf")}, "hang_s"),
        ({"retry_after": "1\r\nX: y"}, "retry_after"),
        ({"retry_after": True}, "retry_after"),
        ({"poison_status": 200}, "poison_status"),
        ({"fail_next": ["429", "nope"]}, "nope"),
        ({"vectors": "other"}, "vectors"),
    ],
)
def test_an_unusable_change_is_a_sentence_that_names_it(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings().changed(changes)
    assert name in str(refused.value)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError):
        Settings().dimensions = 3
