"""The fake provider without its network; test_fake_provider.py has it as a process."""

import json
from typing import Any

import pytest

from embeddings.servers.fake_provider.http import Request
from embeddings.servers.fake_provider.replies import Reply
from embeddings.servers.fake_provider.service import Service
from embeddings.servers.fake_provider.settings import Settings

OPENAI, OLLAMA = "/v1/embeddings", "/api/embed"


def service(**settings: Any) -> Service:
    return Service(Settings(dimensions=8, **settings))


def ask(of: Service, texts: Any, path: str = OPENAI, **more: Any) -> Reply:
    return of.reply(Request("POST", path, json.dumps({"input": texts, **more}).encode()))


def body(reply: Reply) -> Any:
    return json.loads(reply.body)


@pytest.mark.parametrize("path", [OPENAI, "/embeddings"])
def test_each_address_of_openai_answers_the_same(path: str) -> None:
    assert body(ask(service(), ["a"], path))["data"][0]["index"] == 0


@pytest.mark.parametrize(
    ("method", "path", "counts"),
    [
        ("POST", OPENAI, True),
        ("POST", OLLAMA, True),
        ("GET", OPENAI, False),
        ("POST", "/config", False),
        ("GET", "/x", False),
    ],
)
def test_only_requests_for_vectors_count(method: str, path: str, counts: bool) -> None:
    assert service().counts(Request(method, path, b"")) is counts


@pytest.mark.parametrize(
    ("method", "path"), [("GET", OPENAI), ("PUT", "/config"), ("POST", "/stats"), ("GET", "/"), ("", "")]
)
def test_whatever_else_is_asked_is_not_found(method: str, path: str) -> None:
    assert service().reply(Request(method, path, b"")).status == 404


@pytest.mark.parametrize(
    "sent",
    [b"", b"{", b"[]", b"null", b"1", b"{}", b'{"input": 1}', b'{"input": [1]}', b'{"input": null}', b"\xff",
     b'{"input": "a", "dimensions": -1}', b'{"input": "a", "dimensions": 16001}', b'{"input": "a", "dimensions": true}',
     b'{"input": "a", "dimensions": "8"}'],
)  # fmt: skip
@pytest.mark.parametrize("path", [OPENAI, OLLAMA])
def test_a_body_that_cannot_be_read_is_refused_and_counts_no_text(sent: bytes, path: str) -> None:
    of = service()
    reply = of.reply(Request("POST", path, sent))
    assert reply.status == 400
    assert isinstance(body(reply)["error"], str) is (path == OLLAMA)
    assert of.stats.texts == 0


def test_zero_dimensions_are_those_of_the_settings() -> None:
    assert len(body(ask(service(), "a", dimensions=0))["data"][0]["embedding"]) == 8


@pytest.mark.parametrize(
    ("settings", "texts", "code"),
    [
        ({}, [], "invalid_request"),
        ({}, ["a", ""], "invalid_request"),
        ({"max_inputs": 2}, ["a"] * 3, "array_above_max_length"),
        ({"max_tokens_per_text": 2}, ["a" * 12], "context_length_exceeded"),
        ({"max_tokens_per_request": 2}, ["a" * 4] * 3, "max_tokens_per_request"),
        ({"poison": "bad"}, ["good", "not bad"], "invalid_input"),
    ],
)
def test_what_a_real_server_would_refuse_is_refused_each_time(
    settings: dict[str, Any], texts: list[str], code: str
) -> None:
    of = service(**settings)
    for _ in range(2):
        reply = ask(of, texts)
        assert (reply.status, body(reply)["error"]["code"]) == (400, code)
    assert (of.stats.refused_again, of.stats.embedded) == (1, 0)


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        ({"max_inputs": 2}, ["a"] * 2),
        ({"max_tokens_per_text": 2}, ["a" * 11]),
        ({"max_tokens_per_request": 2}, ["a" * 4] * 2),
    ],
)
def test_a_limit_itself_is_allowed(settings: dict[str, int], texts: list[str]) -> None:
    assert ask(service(**settings), texts).status == 200


def test_a_poisoned_request_has_the_status_that_was_set() -> None:
    assert ask(service(poison="x", poison_status=500), "x").status == 500


def test_planned_faults_come_in_turn_and_then_none() -> None:
    of = service(fail_next=["429", "500"], retry_after="7")
    assert [ask(of, "a").status for _ in range(3)] == [429, 500, 200]
    assert of.stats.faults == {"429": 1, "500": 1}


def test_a_deadly_text_takes_the_next_requests_along() -> None:
    of = service(deadly="die", down_requests=2)
    assert ask(of, "please die").cut
    assert [ask(of, "a").status for _ in range(3)] == [503, 503, 200]


def test_a_hang_lasts_as_long_as_configured() -> None:
    reply = ask(service(fail_next=["hang"], hang_s=9), "a")
    assert (reply.status, reply.delay) == (504, 9)


def test_chance_is_the_same_with_the_same_seed() -> None:
    def drawn(seed: int) -> list[int]:
        of = service(rate_429=0.3, rate_500=0.3, seed=seed)
        return [ask(of, "a").status for _ in range(50)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert set(drawn(1)) == {200, 429, 500}


def test_each_text_takes_its_time() -> None:
    assert ask(service(latency_ms=100, per_text_ms=10), ["a"] * 5).delay == pytest.approx(0.15)


def test_requests_may_wait_for_each_other() -> None:
    of = service(latency_ms=1_000, one_by_one=True)
    delays = [ask(of, "a").delay for _ in range(3)]
    assert delays == pytest.approx([1, 2, 3], abs=0.2)


def configure(of: Service, **changes: Any) -> Reply:
    return of.reply(Request("POST", "/config", json.dumps(changes).encode()))


def test_a_change_resets_the_counters_unless_it_says_otherwise() -> None:
    of = service()
    ask(of, "a")
    assert body(configure(of, latency_ms=1, reset=False))["latency_ms"] == 1
    assert of.stats.texts == 1
    configure(of, latency_ms=0)
    assert of.stats.texts == 0


def test_the_configuration_returns_the_planned_faults_still_to_come() -> None:
    of = service(fail_next=["429", "500"])
    ask(of, "a")
    assert body(of.reply(Request("GET", "/config", b"")))["fail_next"] == ["500"]
    configure(of, latency_ms=1)
    assert ask(of, "a").status == 500


@pytest.mark.parametrize(
    "sent", [b"", b"[]", b"1", b'{"nope": 1}', b'{"dimensions": 0}', b'{"fail_next": ["x"]}']
)
def test_an_unusable_change_changes_nothing(sent: bytes) -> None:
    of = service(fail_next=["500"])
    before = body(of.reply(Request("GET", "/config", b"")))
    assert of.reply(Request("POST", "/config", sent)).status == 400
    assert body(of.reply(Request("GET", "/config", b""))) == before


def test_models_and_counters_are_shown() -> None:
    of = service()
    ask(of, ["a", "b"])
    assert body(of.reply(Request("GET", "/v1/models", b"")))["data"][0]["id"] == "fake"
    assert body(of.reply(Request("GET", "/stats", b"")))["sizes"] == [2]
