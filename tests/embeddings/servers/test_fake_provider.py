"""The fake provider, as a real process: what it answers, and each of its faults."""

import base64
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.providers import FakeProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.process

WIDTH = 16


@pytest.fixture(scope="module")
def process() -> Iterator[FakeProvider]:
    with FakeProvider(dimensions=WIDTH, hang_s=0.2) as running:
        yield running


@pytest.fixture
def fake(process: FakeProvider) -> FakeProvider:
    process.restore()
    return process


def ask(fake: FakeProvider, texts: Any, **options: Any) -> httpx.Response:
    body = {"model": "fake", "input": texts, **options}
    return fake.http.post("/v1/embeddings", json=body)


def ask_ollama(fake: FakeProvider, texts: Any, **options: Any) -> httpx.Response:
    return fake.http.post("/api/embed", json={"model": "fake", "input": texts, **options})


def rows(answer: httpx.Response) -> NDArray[np.float32]:
    """The vectors of an OpenAI answer in the order of their texts, floats or base64."""
    assert answer.status_code == 200, answer.text
    items = sorted(answer.json()["data"], key=lambda item: item["index"])
    return np.array([vector(item["embedding"]) for item in items], np.float32)


def vector(written: Any) -> Any:
    return np.frombuffer(base64.b64decode(written), "<f4") if isinstance(written, str) else written


# --- what it answers when all is well


def test_every_text_gets_a_unit_vector_of_the_asked_width(fake: FakeProvider) -> None:
    for width in (WIDTH, 1, 384):
        found = rows(ask(fake, ["one text", "another", "…"], dimensions=width))
        assert found.shape == (3, width)
        assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ["words", "pool"])
def test_base64_and_floats_and_both_protocols_bring_the_same_vector_every_time(
    fake: FakeProvider, kind: str
) -> None:
    fake.config(vectors=kind)
    texts = ["first text", "zwölf Boxkämpfer", "日本語"]
    floats = rows(ask(fake, texts))
    assert np.array_equal(rows(ask(fake, texts, encoding_format="base64")), floats)
    assert np.array_equal(np.array(ask_ollama(fake, texts).json()["embeddings"], np.float32), floats)
    assert np.array_equal(rows(ask(fake, texts[::-1]))[::-1], floats)


def test_texts_that_share_words_are_nearer_than_texts_that_do_not(fake: FakeProvider) -> None:
    query, near, far = rows(
        ask(fake, ["read a zip file", "how to read a zip", "bake bread slowly"], dimensions=384)
    )
    assert query @ near > 0.5 > abs(query @ far)


def test_a_single_text_may_stand_without_a_list(fake: FakeProvider) -> None:
    assert rows(ask(fake, "alone")).shape == (1, WIDTH)
    assert len(ask_ollama(fake, "alone").json()["embeddings"]) == 1


def test_usage_is_counted_and_can_be_left_out(fake: FakeProvider) -> None:
    assert ask(fake, ["12345678"]).json()["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    fake.config(no_usage=True)
    assert "usage" not in ask(fake, ["12345678"]).json()


def test_a_lesser_server_answers_floats_or_refuses_base64(fake: FakeProvider) -> None:
    fake.config(no_base64=True)
    answer = ask(fake, ["text"], encoding_format="base64")
    assert isinstance(answer.json()["data"][0]["embedding"], list)
    fake.config(no_base64=False, refuse_fields=["encoding_format"])
    assert ask(fake, ["text"], encoding_format="base64").status_code == 400
    assert ask(fake, ["text"]).status_code == 200


def test_models_are_listed_and_unknown_paths_are_not_found(fake: FakeProvider) -> None:
    assert fake.http.get("/v1/models").json()["data"][0]["id"] == "fake"
    assert fake.http.get("/v1/nothing").status_code == 404
    assert fake.http.get("/v1/embeddings").status_code == 404


# --- its counters and settings


def test_the_counters_return_requests_texts_and_statuses(fake: FakeProvider) -> None:
    fake.config(fail_next=["500"])
    for texts in (["a", "b"], ["b", "c", "d"], ["d"]):
        ask(fake, texts)
    stats = fake.stats()
    expected = {"requests": 3, "texts": 6, "embedded": 4, "max_batch": 3, "in_flight": 0, "distinct_texts": 4}
    assert {name: stats[name] for name in expected} == expected
    assert stats["status"] == {"200": 2, "500": 1}
    assert stats["faults"] == {"500": 1}


# --- what it refuses, as real servers do


@pytest.mark.parametrize(
    ("limits", "texts", "sign"),
    [
        ({}, [], "empty"),
        ({}, ["text", ""], "empty"),
        ({"max_inputs": 2}, ["a", "b", "c"], "maximum length 2 is expected"),
        ({"max_tokens_per_text": 10}, ["x" * 44], "maximum context length is 10 tokens"),
        ({"max_tokens_per_request": 10}, ["x" * 22, "x" * 22], "max 10 tokens per request"),
        ({"poison": "POISON"}, ["fine", "some POISON here"], "refused"),
        ({}, [1, 2], "list of texts"),
    ],
)
def test_input_past_a_limit_is_refused_in_both_protocols(
    fake: FakeProvider, limits: dict[str, Any], texts: list[Any], sign: str
) -> None:
    fake.config(**limits)
    answer, ollama = ask(fake, texts), ask_ollama(fake, texts)
    assert (answer.status_code, ollama.status_code) == (400, 400)
    assert sign in answer.json()["error"]["message"]
    assert sign in ollama.json()["error"]
    assert fake.stats()["embedded"] == 0


# --- its faults


@pytest.mark.parametrize(
    "status", ["400", "401", "402", "403", "404", "413", "429", "500", "502", "503", "504"]
)
def test_a_planned_status_is_answered_once(fake: FakeProvider, status: str) -> None:
    fake.config(fail_next=[status])
    assert [ask(fake, ["text"]).status_code for _ in range(2)] == [int(status), 200]


@pytest.mark.parametrize(
    ("told", "heard"), [(2.5, "2.5"), ("Wed, 21 Oct 2026 07:28:00 GMT",) * 2, ("soon", "soon"), ("", None)]
)
def test_a_429_repeats_the_retry_time_it_was_given(fake: FakeProvider, told: Any, heard: str | None) -> None:
    fake.config(fail_next=["429"], retry_after=told)
    assert ask(fake, ["text"]).headers.get("retry-after") == heard


def test_a_hang_ends_in_504_and_leaves_the_flight_when_the_client_gives_up(fake: FakeProvider) -> None:
    fake.config(fail_next=["hang", "hang"], hang_s=0.05)
    assert ask(fake, ["text"]).status_code == 504
    fake.config(hang_s=60)
    with pytest.raises(httpx.ReadTimeout):
        fake.http.post("/v1/embeddings", json={"input": "text"}, timeout=0.2)
    wait_until(lambda: fake.stats()["in_flight"] == 0, what="the hanging request to be given up")


def test_latency_delays_answers_side_by_side(fake: FakeProvider) -> None:
    fake.config(latency_ms=150, per_text_ms=10)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(fake, ["a", "b"]), range(4)))
    assert all(answer.elapsed.total_seconds() >= 0.17 for answer in answers)
    assert fake.stats()["max_in_flight"] > 1


def items(answer: httpx.Response) -> list[Any]:
    found: list[Any] = answer.json()["data"]
    return found


def test_a_short_answer_lacks_one_vector(fake: FakeProvider) -> None:
    fake.config(fail_next=["short", "short"])
    assert len(items(ask(fake, ["a", "b", "c"]))) == 2
    assert len(ask_ollama(fake, ["a", "b", "c"]).json()["embeddings"]) == 2


def test_a_reordered_answer_has_another_order_and_right_indexes(fake: FakeProvider) -> None:
    texts = ["one", "two", "three"]
    right = rows(ask(fake, texts))
    fake.config(fail_next=["reordered"])
    answer = ask(fake, texts)
    assert [item["index"] for item in items(answer)] == [2, 1, 0]
    assert np.array_equal(rows(answer), right)


def test_scrambled_indexes_repeat_one_and_lack_another(fake: FakeProvider) -> None:
    fake.config(fail_next=["scrambled_index", "scrambled_index"])
    assert [item["index"] for item in items(ask(fake, ["a", "b", "c"]))] == [0, 1, 0]
    assert [item["index"] for item in items(ask(fake, ["a"]))] == [1]


def test_a_duplicated_answer_has_one_vector_too_many(fake: FakeProvider) -> None:
    fake.config(fail_next=["duplicated"])
    assert [item["index"] for item in items(ask(fake, ["a", "b"]))] == [0, 1, 0]


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("fault", ["wrong_width", "nan", "zero"])
def test_a_spoilt_vector_is_the_first_one(fake: FakeProvider, fault: str, encoding: str) -> None:
    fake.config(fail_next=[fault])
    first, second = (
        vector(item["embedding"]) for item in items(ask(fake, ["a", "b"], encoding_format=encoding))
    )
    assert len(second) == WIDTH
    assert {
        "wrong_width": len(first) == WIDTH - 1,
        "nan": bool(np.isnan(first).all()),
        "zero": not np.any(first),
    }[fault]


def test_a_page_instead_of_json_comes_with_200(fake: FakeProvider) -> None:
    fake.config(fail_next=["html"])
    answer = ask(fake, ["text"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert answer.text.startswith("<!doctype html>")


def test_a_dripping_answer_arrives_whole_but_piece_by_piece(fake: FakeProvider) -> None:
    fake.config(fail_next=["drip"], hang_s=0.5)
    with fake.http.stream("POST", "/v1/embeddings", json={"input": ["text"]}) as answer:
        pieces = list(answer.iter_raw())
    assert len(pieces) > 2
    assert b"".join(pieces).endswith(b"}")
    assert fake.stats()["in_flight"] == 0


def test_a_huge_reply_has_the_configured_size_and_is_still_json(fake: FakeProvider) -> None:
    fake.config(fail_next=["huge"], huge_mb=8)
    answer = ask(fake, ["text"])
    assert len(answer.content) == 8 * 1024 * 1024
    assert rows(answer).shape == (1, WIDTH)


def test_a_cut_answer_breaks_off_in_the_middle_of_its_body(fake: FakeProvider) -> None:
    fake.config(fail_next=["cut"])
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        ask(fake, ["text"])
    assert ask(fake, ["text"]).status_code == 200


# --- its network


def test_one_connection_serves_many_requests_even_sent_at_once(fake: FakeProvider) -> None:
    request = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with _connection(fake) as client:
        client.sendall(request * 3)
        heard = b""
        while heard.count(b"HTTP/1.1 200 OK") < 3:
            heard += client.recv(65_536)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /v1/embeddings HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST /v1/embeddings HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", b"413"),
        (b"POST /v1/embeddings HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"431"),
        (b"GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n\r\n", b"403"),
        (b"GET /stats HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", b"403"),
    ],
)
def test_an_invalid_request_gets_a_reply_and_the_connection_is_closed(
    fake: FakeProvider, head: bytes, status: bytes
) -> None:
    with _connection(fake) as client:
        client.sendall(head)
        heard = b""
        while piece := client.recv(65_536):
            heard += piece
    assert heard.startswith(b"HTTP/1.1 " + status)


def _connection(fake: FakeProvider) -> socket.socket:
    address = httpx.URL(fake.url)
    assert address.port
    return socket.create_connection((address.host, address.port), timeout=5)
