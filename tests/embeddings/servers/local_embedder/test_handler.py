"""One connection of the local embedder: what is asked for, refused, and dropped when the client leaves."""

import base64
import time

import httpx
import numpy as np
import pytest

from embeddings.servers.local_embedder import model
from tests.embeddings.servers.local_embedder.requests import MODEL, ask, code, connected, rows
from tests.providers import ProviderProcess

pytestmark = pytest.mark.process


JSON = b"Content-Type: application/json\r\n"


@pytest.fixture
def embedder(on_socket: ProviderProcess) -> ProviderProcess:
    return on_socket


def test_base64_carries_the_same_numbers_as_floats(embedder: ProviderProcess) -> None:
    written = ask(embedder, "text", encoding_format="base64").json()["data"][0]["embedding"]
    found = np.frombuffer(base64.b64decode(written), "<f4")
    assert np.array_equal(found, rows(ask(embedder, "text"))[0])


def test_usage_counts_the_tokens_the_model_reads(embedder: ProviderProcess) -> None:
    usage = ask(embedder, ["one", "one two"]).json()["usage"]
    assert usage == {"prompt_tokens": 7, "total_tokens": 7}


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
    with connected(embedder) as client:
        client.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" + JSON + length + b"\r\n")
        heard = b""
        while piece := client.recv(65_536):
            heard += piece
    assert heard.startswith(b"HTTP/1.1 " + status)


def test_work_for_a_client_that_left_is_dropped(embedder: ProviderProcess) -> None:
    texts = [f"{number} " + "word " * 200 for number in range(300)]
    with pytest.raises(httpx.ReadTimeout):
        embedder.http.post("/v1/embeddings", json={"model": MODEL, "input": texts}, timeout=0.3)
    # the bulk lane is free again long before those 300 texts could be done
    began = time.monotonic()
    rows(ask(embedder, ["one", "two", "three"]))
    assert time.monotonic() - began < 8
