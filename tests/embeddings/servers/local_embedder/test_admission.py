"""Which requests the embedder reads: none of another program's, a web page's, or another host's."""

from typing import Any

import httpx
import pytest

from embeddings.servers.local_embedder import server_proof
from tests.providers import EMBEDDER_SECRET as SECRET
from tests.providers import ProviderProcess

pytestmark = pytest.mark.process

MODEL = "all-MiniLM-L6-v2"
ASKED = {"model": MODEL, "input": "text"}


TOKEN = server_proof.token(SECRET)


def refused(embedder: ProviderProcess, **headers: str) -> tuple[int, str]:
    answer = embedder.http.post("/v1/embeddings", json=ASKED, headers=headers)
    return answer.status_code, answer.json()["error"]["code"]


def test_a_good_request_is_answered(embedder: ProviderProcess) -> None:
    assert embedder.http.post("/v1/embeddings", json=ASKED).status_code == 200
    typed = {"Content-Type": "application/json; charset=utf-8"}
    assert embedder.http.post("/v1/embeddings", content=b"{", headers=typed).status_code == 400


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", ""]
)
def test_a_body_that_is_not_called_json_is_refused(embedder: ProviderProcess, kind: str) -> None:
    assert refused(embedder, **{"Content-Type": kind}) == (415, "not_json")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost"])
def test_a_request_of_a_web_page_is_refused(embedder: ProviderProcess, origin: str) -> None:
    assert refused(embedder, Origin=origin) == (403, "web_page")
    assert embedder.http.get("/v1/models", headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1:1", "localhost.evil.example", ""]
)
def test_a_request_for_another_host_is_refused(embedder: ProviderProcess, host: str) -> None:
    assert refused(embedder, Host=host) == (421, "wrong_host")
    assert embedder.http.get("/health", headers={"Host": host}).status_code == 421


def test_both_names_of_loopback_are_taken(on_port: ProviderProcess) -> None:
    port = httpx.URL(on_port.url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert on_port.http.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        f"Bearer {TOKEN[:-1]}",
        f"bearer{TOKEN}",
        f"Basic {TOKEN}",
        f"Bearer {SECRET}",
        "Bearer x, Bearer y",
    ],
)
def test_on_a_port_a_request_without_the_secret_is_refused(on_port: ProviderProcess, given: str) -> None:
    assert refused(on_port, Authorization=given) == (401, "no_token")


def test_a_request_without_the_secret_is_refused_before_its_body_is_read(on_port: ProviderProcess) -> None:
    with (
        httpx.Client(base_url=on_port.url, timeout=5, trust_env=False) as stranger,
        stranger.stream("POST", "/v1/embeddings", content=endless(), headers=announced()) as answer,
    ):
        assert answer.status_code == 401
        assert answer.headers["connection"] == "close"


def announced() -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Length": str(30 * 1024 * 1024)}


def endless() -> Any:
    """A body whose sender is refused long before its end."""
    for _ in range(30):
        yield b" " * 1024 * 1024


def test_the_proof_is_for_good_questions_on_a_port_only(embedder: ProviderProcess) -> None:
    for question in ("", "?nonce=", "?nonce=abc", "?nonce=" + "g" * 64, "?nonce=" + "0" * 65):
        assert embedder.http.get(f"/v1/proof{question}").status_code == 400
    given = embedder.http.get("/v1/proof?nonce=" + "0" * 64)
    assert given.status_code == (200 if embedder.endpoint.secret else 400)
    assert SECRET not in given.text
