"""The local embedder, as a real process with its real model."""

import base64
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.servers.local_embedder import model
from tests.providers import ProviderProcess, local_embedder
from tests.waiting import wait_until

pytestmark = pytest.mark.process

MODEL = "all-MiniLM-L6-v2"
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture
def embedder(on_socket: ProviderProcess) -> ProviderProcess:
    return on_socket


def ask(embedder: ProviderProcess, texts: Any, **options: Any) -> httpx.Response:
    return embedder.http.post("/v1/embeddings", json={"model": MODEL, "input": texts, **options}, timeout=60)


def rows(answer: httpx.Response) -> NDArray[np.float32]:
    assert answer.status_code == 200, answer.text
    items = answer.json()["data"]
    assert [item["index"] for item in items] == list(range(len(items)))
    return np.array([item["embedding"] for item in items], np.float32)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# --- vectors


def test_vectors_have_384_numbers_and_unit_length(embedder: ProviderProcess) -> None:
    found = rows(ask(embedder, ["a text", "another, rather longer text about something else", " "]))
    assert found.shape == (3, model.DIMENSIONS)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_text_is_nearer_to_one_that_means_the_same_than_to_one_that_shares_words(
    embedder: ProviderProcess,
) -> None:
    query, same_meaning, same_words = rows(
        ask(embedder, ["How do I unpack an archive?", "extracting a zip file", "How do I bake a cake?"])
    )
    assert query @ same_meaning > query @ same_words + 0.2


def test_the_vector_is_that_of_the_published_model(embedder: ProviderProcess) -> None:
    """The numbers that the model's documentation shows for these two sentences, give or take int8 weights."""
    found = rows(ask(embedder, ["This is an example sentence", "Each sentence is converted"]))
    assert found[0, :3] == pytest.approx([0.0677, 0.0635, 0.0487], abs=0.01)
    assert found[1, :3] == pytest.approx([0.0864, 0.1028, 0.0054], abs=0.01)


def test_a_vector_does_not_depend_on_the_texts_beside_it(embedder: ProviderProcess) -> None:
    texts = [("word " * length).strip() for length in (1, 3, 40, 7, 200, 7, 2, 12, 30, 5)]
    together = rows(ask(embedder, texts))
    alone = np.concatenate([rows(ask(embedder, text)) for text in texts])
    assert np.abs(together - alone).max() < 1e-6


def test_base64_carries_the_same_numbers_as_floats(embedder: ProviderProcess) -> None:
    written = ask(embedder, "text", encoding_format="base64").json()["data"][0]["embedding"]
    found = np.frombuffer(base64.b64decode(written), "<f4")
    assert np.array_equal(found, rows(ask(embedder, "text"))[0])


def test_usage_counts_the_tokens_the_model_reads(embedder: ProviderProcess) -> None:
    usage = ask(embedder, ["one", "one two"]).json()["usage"]
    assert usage == {"prompt_tokens": 7, "total_tokens": 7}


# --- refusals


def test_the_refusal_of_a_long_text_names_it_and_its_length_and_cuts_nothing(
    embedder: ProviderProcess,
) -> None:
    answer = ask(embedder, ["fine", "word " * 600])
    assert "input[1]" in answer.json()["error"]["message"]
    assert "602 tokens" in answer.json()["error"]["message"]
    assert rows(ask(embedder, "word " * 510)).shape == (1, model.DIMENSIONS)


def test_unknown_paths_are_not_found_and_the_connection_stays_usable(embedder: ProviderProcess) -> None:
    assert code(embedder.http.post("/v1/other", json={"input": "x" * 100_000})) == (404, "not_found")
    assert code(embedder.http.get("/v1/embeddings")) == (404, "not_found")
    assert embedder.http.get("/health").json() == {"status": "ok", "requests": 0}
    assert embedder.http.get("/v1/models").json()["data"][0]["id"] == MODEL


@pytest.mark.parametrize(
    ("length", "status"),
    [(b"Content-Length: 33554433\r\n", b"413"), (b"", b"411"), (b"Content-Length: -1\r\n", b"411")],
)
def test_a_body_too_large_or_of_unknown_length_is_not_read(
    embedder: ProviderProcess, length: bytes, status: bytes
) -> None:
    with _connection(embedder) as client:
        client.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" + JSON + length + b"\r\n")
        heard = b""
        while piece := client.recv(65_536):
            heard += piece
    assert heard.startswith(b"HTTP/1.1 " + status)


# --- many at once


def test_requests_from_many_threads_get_their_own_vectors(embedder: ProviderProcess) -> None:
    texts = [f"text number {number}" for number in range(24)]
    expected = rows(ask(embedder, texts))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: rows(ask(embedder, text))[0], texts))
    assert np.abs(np.array(found) - expected).max() < 1e-6


def test_a_search_is_answered_while_a_large_request_is_still_worked_on(embedder: ProviderProcess) -> None:
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(ask, embedder, [f"{number} " + "word " * 60 for number in range(60)])
        for _ in range(3):
            ask(embedder, "a search")
        assert not large.done()
        assert len(rows(large.result())) == 60


# --- stopping, leaving


def test_work_for_a_client_that_left_is_dropped(embedder: ProviderProcess) -> None:
    texts = [f"{number} " + "word " * 200 for number in range(300)]
    with pytest.raises(httpx.ReadTimeout):
        embedder.http.post("/v1/embeddings", json={"model": MODEL, "input": texts}, timeout=0.3)
    # the bulk lane is free again long before those 300 texts could be done
    began = time.monotonic()
    rows(ask(embedder, ["one", "two", "three"]))
    assert time.monotonic() - began < 8


def test_a_stop_ends_the_process_within_a_second_and_says_so_to_who_waits(folder: Path) -> None:
    with local_embedder(socket=folder / "stopped.sock") as running, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, running, [f"{number} " + "word " * 100 for number in range(500)])
        wait_until(lambda: running.http.get("/health").json()["requests"] == 1)
        began = time.monotonic()
        running.process.terminate()
        answer = waiting.result(10)
        assert running.process.wait(5) == 0
        assert time.monotonic() - began < 3
    assert code(answer) == (503, "stopping")


def _connection(embedder: ProviderProcess) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    client.connect(embedder.endpoint.socket)
    return client
