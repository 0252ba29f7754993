"""Each reason for which there is no connection has a sentence of its own, with the next step; by real sockets."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embeddings.providers.connect_errors import reason
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.transport import post

# Made with openssl for these tests alone: a key and its own certificate in each.
CERTIFICATES = Path(__file__).parent / "certificates"
_LENGTH = re.compile(rb"(?is)content-length: (\d+).*?\r\n\r\n")
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that hands each connection to `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def hear(connection: socket.socket) -> bytes:
    """A whole request: a connection that is closed with unread bytes is reset."""
    heard = b""
    while not (found := _LENGTH.search(heard)) or len(heard) < found.end() + int(found[1]):
        if not (piece := connection.recv(65_536)):
            break
        heard += piece
    return heard


def tls(certificate: str) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            hear(secure)
            secure.sendall(GOOD)

    return serve


def plain(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def refused(endpoint: Endpoint) -> str:
    with pytest.raises(ProviderError) as caught:
        post(endpoint, {"input": ["x"]}, deadline=5)
    assert caught.value.kind is ErrorClass.PROVIDER_DOWN
    return str(caught.value)


@pytest.mark.parametrize(
    ("certificate", "trusted", "said"),
    [
        (
            "localhost",
            "",
            "a certificate that is not trusted (self-signed certificate): set EMBEDDING_CA_FILE",
        ),
        ("other_name", "other_name", "a certificate for another name"),
        (
            "out_of_date",
            "out_of_date",
            "a certificate that is out of date (certificate has expired): renew it",
        ),
        ("localhost", "other_name", "a certificate that is not trusted"),
    ],
)
def test_a_certificate_is_named_as_the_reason(certificate: str, trusted: str, said: str) -> None:
    ca_file = str(CERTIFICATES / f"{trusted}.pem") if trusted else ""
    with listening(tls(certificate)) as port:
        assert f"localhost shows {said}" in refused(Endpoint(f"https://localhost:{port}", ca_file=ca_file))


def test_an_authority_of_the_settings_is_trusted() -> None:
    with listening(tls("localhost")) as port:
        ca_file = str(CERTIFICATES / "localhost.pem")
        assert post(Endpoint(f"https://localhost:{port}", ca_file=ca_file), {}, deadline=5) == {}


def test_https_to_a_server_without_tls() -> None:
    with listening(plain) as port:
        said = refused(Endpoint(f"https://localhost:{port}"))
    assert (
        said == "localhost does not speak TLS on this port: write http:// in the address, or correct the port"
    )


def test_http_to_a_server_with_tls() -> None:
    def alert(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")

    with listening(alert) as port:
        said = refused(Endpoint(f"http://localhost:{port}"))
    assert said.startswith(
        "localhost does not reply in HTTP: if it speaks TLS, write https:// in the address"
    )


def test_a_name_that_nobody_knows() -> None:
    said = refused(Endpoint("http://no-such-host.invalid/v1"))
    assert said.startswith("no-such-host.invalid has no address: check the name")


def test_a_port_on_which_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        said = refused(Endpoint(f"http://127.0.0.1:{free.getsockname()[1]}"))
    assert said == "127.0.0.1 refuses connections: start it, or check the address"


def test_a_proxy_that_refuses_is_named_and_its_password_is_not() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = f"http://user:s3cret@127.0.0.1:{free.getsockname()[1]}"
        said = refused(Endpoint("http://api.example/v1", proxy=proxy))
    assert (
        said == "the proxy 127.0.0.1 before api.example refuses connections: start it, or check the address"
    )


def test_a_proxy_that_does_not_let_through_is_named() -> None:
    def deny(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with listening(deny) as port:
        said = refused(Endpoint("https://api.example/v1", proxy=f"http://127.0.0.1:{port}"))
    assert said.startswith("the proxy 127.0.0.1 before api.example does not connect to api.example (407 ")
    assert said.endswith("check EMBEDDING_PROXY")


def test_requests_go_through_the_proxy_of_the_settings() -> None:
    heard: list[bytes] = []

    def relay(connection: socket.socket) -> None:
        heard.append(hear(connection))
        connection.sendall(GOOD)

    with listening(relay) as port:
        proxy = f"http://user:s3cret@127.0.0.1:{port}"
        assert post(Endpoint("http://api.example/v1", proxy=proxy), {}, deadline=5) == {}
    head = heard[0].decode().lower()
    assert head.startswith("post http://api.example/v1 http/1.1")
    assert "proxy-authorization: basic dxnlcjpzm2nyzxq=" in head


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(113, "No route to host"), "cannot be reached (No route to host)"),
        (
            ConnectionResetError(104, "Connection reset by peer"),
            "refuses connections (Connection reset by peer)",
        ),
        (ssl.SSLError(1, "x"), "ends the TLS handshake (no reason given)"),
        (ValueError(), "refuses connections"),
    ],
)
def test_other_reasons_are_named_too(error: Any, said: str) -> None:
    assert reason(error).startswith(said)
