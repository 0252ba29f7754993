"""Requests to the local embedder as tests send them, and what is read from its replies."""

import socket
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from tests.providers import ProviderProcess

MODEL = "all-MiniLM-L6-v2"


def ask(embedder: ProviderProcess, texts: Any, **options: Any) -> httpx.Response:
    return embedder.http.post("/v1/embeddings", json={"model": MODEL, "input": texts, **options}, timeout=60)


def rows(answer: httpx.Response) -> NDArray[np.float32]:
    assert answer.status_code == 200, answer.text
    items = answer.json()["data"]
    assert [item["index"] for item in items] == list(range(len(items)))
    return np.array([item["embedding"] for item in items], np.float32)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def connected(embedder: ProviderProcess) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    client.connect(embedder.endpoint.socket)
    return client
