"""The dialects of the fake provider: each refuses what its real servers refuse, and nothing else."""

import json
from typing import Any

import pytest

from embeddings.servers.fake_provider import dialects
from embeddings.servers.fake_provider.http import Request
from embeddings.servers.fake_provider.replies import OLLAMA, OPENAI, Reply
from embeddings.servers.fake_provider.service import Service
from embeddings.servers.fake_provider.settings import Settings

PATH = "/v1/embeddings"


def ask(settings: dict[str, Any], texts: Any, **more: Any) -> Reply:
    body = json.dumps({"input": texts, **more}).encode()
    return Service(Settings(dimensions=8, **settings)).reply(Request("POST", PATH, body))


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/embeddings", OPENAI),
        ("/embeddings", OPENAI),
        ("/api/embed", OLLAMA),
        ("/openai/deployments/small/embeddings", OPENAI),
        ("/openai/deployments/embeddings", ""),
        ("/openai/deployments/a/b/embeddings", ""),
        ("/", ""),
    ],
)
def test_a_path_has_its_protocol(path: str, shape: str) -> None:
    assert dialects.shape_of(path) == shape


@pytest.mark.parametrize(
    ("settings", "asked", "status"),
    [
        ({"refuse_fields": ["user"]}, {"input": ["a"], "user": "x"}, 400),
        ({"refuse_fields": ["user"], "refusal_status": 500}, {"input": ["a"], "user": "x"}, 500),
        ({"refuse_fields": ["user"]}, {"input": ["a"], "dimensions": 8}, 200),
        ({"string_input": True, "refusal_status": 422}, {"input": ["a"]}, 422),
        ({"string_input": True}, {"input": "a"}, 200),
        ({"max_inputs": 2, "refusal_status": 422}, {"input": ["a"] * 3}, 422),
        ({"max_inputs": 2}, {"input": ["a"] * 2}, 200),
        ({"max_tokens_per_text": 1, "refusal_status": 500}, {"input": ["a" * 8]}, 500),
        ({"ignore_dimensions": True}, {"input": ["a"], "dimensions": 4}, 200),
    ],
)
def test_each_refuses_with_its_status(settings: Any, asked: Any, status: int) -> None:
    body = json.dumps(asked).encode()
    assert Service(Settings(dimensions=8, **settings)).reply(Request("POST", PATH, body)).status == status


def test_a_vague_server_gives_no_reason() -> None:
    said = ask({"vague": True, "max_inputs": 1}, ["a", "b"]).body
    assert b"rejected" in said
    assert not any(word in said for word in (b"input", b"length", b"1"))


def test_a_text_that_is_too_long_can_end_the_exchange() -> None:
    reply = ask({"cut_too_long": True, "max_tokens_per_text": 1}, ["a" * 8])
    assert reply.cut
    assert reply.closes


@pytest.mark.parametrize(
    ("index", "found"), [("number", 0), ("null", None), ("string", "0"), ("float", 0.0), ("missing", "none")]
)
def test_a_reply_numbers_its_vectors_as_configured(index: str, found: Any) -> None:
    (item,) = json.loads(ask({"index": index}, ["a"]).body)["data"]
    assert item.get("index", "none") == found
    assert type(item.get("index", "none")) is type(found)


def test_vectors_can_be_one_list_deeper_and_of_one_width() -> None:
    (item,) = json.loads(ask({"nested": True, "ignore_dimensions": True}, ["a"], dimensions=4).body)["data"]
    assert [len(item["embedding"]), len(item["embedding"][0])] == [1, 8]


@pytest.mark.parametrize(
    ("settings", "query", "head", "status"),
    [
        ({"api_version": "2024-02-01"}, "api-version=2024-02-01", b"", 200),
        ({"api_version": "2024-02-01"}, "api-version=2023", b"", 404),
        ({"api_version": "2024-02-01"}, "", b"", 404),
        ({"required_header": "api-key=k"}, "", b"POST / HTTP/1.1\r\nAPI-Key: k", 200),
        ({"required_header": "api-key=k"}, "", b"POST / HTTP/1.1\r\nAPI-Key: no", 401),
        ({"required_header": "api-key=k"}, "", b"", 401),
    ],
)
def test_a_query_and_a_header_can_be_demanded(settings: Any, query: str, head: bytes, status: int) -> None:
    request = Request("POST", PATH, b'{"input": "a"}', query, head)
    assert Service(Settings(**settings)).reply(request).status == status


def test_a_path_that_is_not_there_can_get_a_200_with_an_error() -> None:
    request = Request("POST", "/embedding", b"{}")
    reply = Service(Settings(error_200_elsewhere=True)).reply(request)
    assert reply.status == 200
    assert "Unexpected endpoint" in json.loads(reply.body)["error"]
