"""No text and no secret goes to a program that has taken the embedder's place."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from embeddings.providers import transport
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.openai import LOCAL_LIMITS, OpenAIProvider
from embeddings.servers.local_embedder import server_proof
from tests.embeddings.servers.local_embedder import other_account
from tests.providers import ProviderProcess, local_embedder

pytestmark = pytest.mark.process

TEXT = "the merger is on friday"
SQUAT = """
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
listening.listen()
print("ready", flush=True)
connection, _ = listening.accept()
connection.settimeout(5)
print("heard", connection.recv(65536), flush=True)
"""


def local(endpoint: Endpoint) -> OpenAIProvider:
    return OpenAIProvider(endpoint, "all-MiniLM-L6-v2", 384, limits=LOCAL_LIMITS)


def refused(endpoint: Endpoint, deadline: float = 5.0) -> str:
    with pytest.raises(ProviderError) as caught:
        local(endpoint).embed([TEXT], deadline)
    assert caught.value.kind is ErrorClass.PROVIDER_DOWN
    assert TEXT not in str(caught.value)
    assert not endpoint.secret or endpoint.secret not in str(caught.value)
    return str(caught.value)


def test_socket_and_port_give_the_same_vectors(on_socket: ProviderProcess, on_port: ProviderProcess) -> None:
    texts = [TEXT, "another text"]
    found = [local(running.endpoint).embed(texts, 30) for running in (on_socket, on_port)]
    assert np.array_equal(found[0], found[1])
    asked = {"model": "all-MiniLM-L6-v2", "input": texts}
    rows = on_socket.http.post("/v1/embeddings", json=asked).json()["data"]
    assert found[0] == pytest.approx(np.array([row["embedding"] for row in rows], np.float32), abs=1e-7)


def test_a_missing_socket_is_named_with_the_reason(tmp_path: Path) -> None:
    said = refused(Endpoint("http://localhost/v1", socket=str(tmp_path / "none.sock")))
    assert (
        said == f"the local embedder at {tmp_path}/none.sock refuses connections (No such file or directory)"
    )


def test_a_socket_that_nobody_listens_on_is_named(folder: Path) -> None:
    left = folder / "left.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(left))
    said = refused(Endpoint("http://localhost/v1", socket=str(left)))
    assert said == f"the local embedder at {left} refuses connections: start it, or check the address"


def test_a_socket_whose_queue_is_full_is_left_at_the_deadline(folder: Path) -> None:
    path = str(folder / "full.sock")
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(path)
        listening.listen(0)
        first.connect(path)
        said = refused(Endpoint("http://localhost/v1", socket=path), deadline=0.3)
    assert said == f"the local embedder at {path} did not accept a connection in time"


# --- another account's socket


@pytest.fixture
def foreign_socket(folder: Path) -> Iterator[tuple[Endpoint, Callable[[], str]]]:
    """An endpoint whose socket another account made, and what that account has heard once we have connected."""
    taken = folder / "taken"
    taken.mkdir()
    folder.chmod(0o711)
    taken.chmod(0o777)
    path = taken / "embedder.sock"
    squatter = other_account.start(SQUAT, str(path))
    assert squatter.stdout
    assert squatter.stdout.readline() == "ready\n"
    yield Endpoint("http://localhost/v1", socket=str(path)), squatter.stdout.readline
    squatter.kill()
    squatter.communicate()
    path.unlink()
    taken.rmdir()  # a test may have given it away
    folder.chmod(0o700)


@other_account.only_root
def test_a_socket_of_another_account_is_sent_nothing(
    foreign_socket: tuple[Endpoint, Callable[[], str]],
) -> None:
    endpoint, heard = foreign_socket
    said = refused(endpoint)
    assert said.startswith(
        f"the local embedder at {endpoint.socket} belongs to uid {other_account.UID}, which is not the account"
    )
    assert heard() == "heard b''\n"


@other_account.only_root
def test_a_folder_of_another_account_where_everybody_can_make_one_is_not_trusted(
    foreign_socket: tuple[Endpoint, Callable[[], str]],
) -> None:
    endpoint, heard = foreign_socket
    folder = Path(endpoint.socket).parent
    os.chown(folder, other_account.UID, other_account.UID)
    folder.parent.chmod(0o1777)
    refused(endpoint)
    assert heard() == "heard b''\n"


@other_account.only_root
def test_root_trusts_the_owner_of_a_folder_that_only_root_could_have_made(
    foreign_socket: tuple[Endpoint, Callable[[], str]],
) -> None:
    endpoint, heard = foreign_socket
    os.chown(Path(endpoint.socket).parent, other_account.UID, other_account.UID)
    with pytest.raises(ProviderError):
        local(endpoint).embed([TEXT], 1.0)
    assert "POST /v1/embeddings" in heard()


# --- another program on the port


class Squatter:
    """Listens on a port; `answer` makes the answer to what a connection sent first."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.heard = b""
        self.is_left = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            connection.settimeout(10)
            while piece := self._receive(connection):
                self.heard += piece
        self.is_left.set()

    def _receive(self, connection: socket.socket) -> bytes:
        try:
            piece = connection.recv(65_536)
            if piece and (answer := self._answer(piece)):
                connection.sendall(answer)
        except OSError:
            return b""
        return piece

    def close(self) -> None:
        """Waits until its client has left."""
        try:
            assert self.is_left.wait(10)
        finally:
            self._listening.close()


SECRET_OF_OURS = "ours-" + "o" * 40


def ok(body: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def nonce_in(asked: bytes) -> str:
    return asked.partition(b"nonce=")[2][:64].decode()


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked: ok("0" * 64),
        lambda asked: ok(nonce_in(asked)),
        lambda asked: ok(server_proof.of("wrong" * 10, "127.0.0.1:1", nonce_in(asked))),
        lambda asked: ok('{"object":"list","data":[]}'),
        lambda asked: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        lambda asked: b"SSH-2.0-OpenSSH\r\n",
        lambda asked: b"x" * 100_000,
        lambda asked: b"",
    ],
    ids=["zeros", "echo", "other secret", "json", "404", "ssh", "much", "nothing"],
)
def test_a_program_on_the_port_that_does_not_prove_the_secret_gets_neither_text_nor_secret(
    answer: Callable[..., Any],
) -> None:
    squatter = Squatter(answer)
    endpoint = Endpoint(f"http://{squatter.address}/v1", secret=SECRET_OF_OURS)
    refused(endpoint, deadline=1.0)
    squatter.close()
    lines = squatter.heard.split(b"\r\n")
    assert lines[0].startswith(b"GET /v1/proof?nonce=")
    assert lines[1:] == [f"Host: {squatter.address}".encode(), b"", b""]
    for secret in (SECRET_OF_OURS, server_proof.token(SECRET_OF_OURS)):
        assert secret.encode() not in squatter.heard


def test_a_program_that_passes_the_question_on_to_the_real_embedder_gets_nothing(
    on_port: ProviderProcess,
) -> None:
    """The proof names the address that the real one listens on."""

    def relay(asked: bytes) -> bytes:
        return ok(on_port.http.get(f"/v1/proof?nonce={nonce_in(asked)}").text)

    squatter = Squatter(relay)
    endpoint = Endpoint(f"http://{squatter.address}/v1", secret=on_port.endpoint.secret)
    assert "did not prove that it holds this installation's embedder secret" in refused(endpoint)
    squatter.close()
    assert TEXT.encode() not in squatter.heard
    assert server_proof.token(on_port.endpoint.secret).encode() not in squatter.heard


def test_each_new_connection_is_proven_again() -> None:
    """A squatter that comes after a crash meets clients that have talked to the real one before."""
    with local_embedder(secret=SECRET_OF_OURS) as crashed:
        local(crashed.endpoint).embed([TEXT], 30)
    squatter = Squatter(lambda asked: b"")
    assert squatter.address != f"127.0.0.1:{httpx.URL(crashed.url).port}"
    moved = Endpoint(f"http://{squatter.address}/v1", secret=SECRET_OF_OURS)
    assert transport.client(moved) is transport.client(crashed.endpoint)
    refused(moved, deadline=1.0)
    squatter.close()
    assert TEXT.encode() not in squatter.heard
