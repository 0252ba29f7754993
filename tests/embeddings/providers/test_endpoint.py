"""Where a provider is reached, in words and in headers."""

import pytest

from embeddings.providers.endpoint import Endpoint
from embeddings.servers.local_embedder import server_proof


@pytest.mark.parametrize(
    ("endpoint", "where"),
    [
        (Endpoint("https://api.example/v1"), "api.example"),
        (Endpoint("http://h:1234/v1"), "h"),
        (Endpoint("http://localhost/v1", socket="/run/x.sock"), "the local embedder at /run/x.sock"),
        (Endpoint("http://127.0.0.1:18000/v1", secret="s" * 32), "the local embedder at 127.0.0.1:18000"),
    ],
)
def test_an_operator_reads_where_it_is(endpoint: Endpoint, where: str) -> None:
    assert endpoint.where == where
    assert endpoint.at("/embeddings").where == where


def test_a_path_is_added_and_the_rest_stays() -> None:
    at = Endpoint("http://h/v1", "/s", "x" * 32).at("/embeddings")
    assert (at.url, at.socket, at.secret) == ("http://h/v1/embeddings", "/s", "x" * 32)


def test_only_a_server_with_a_secret_is_shown_that_we_know_it() -> None:
    assert Endpoint("http://h").headers == {}
    secret = "only for this test, long enough!"
    headers = Endpoint("http://h", secret=secret).headers
    assert headers == {"authorization": f"Bearer {server_proof.token(secret)}"}
    assert secret not in str(headers)
