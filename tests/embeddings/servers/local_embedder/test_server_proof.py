"""A server proves that it knows the secret without showing it."""

import pytest

from embeddings.servers.local_embedder import server_proof

SECRET, ADDRESS = "s" * 32, "127.0.0.1:18000"


def test_a_nonce_is_new_each_time_and_known_as_one() -> None:
    nonces = {server_proof.new_nonce() for _ in range(50)}
    assert len(nonces) == 50
    assert all(map(server_proof.is_nonce, nonces))


@pytest.mark.parametrize("text", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", "٣" * 64])
def test_another_text_is_not_a_nonce(text: str) -> None:
    assert not server_proof.is_nonce(text)


def test_a_proof_fits_one_secret_address_and_nonce() -> None:
    nonce = server_proof.new_nonce()
    given = server_proof.of(SECRET, ADDRESS, nonce)
    assert given == server_proof.of(SECRET, ADDRESS, nonce)
    others = {
        server_proof.of("t" * 32, ADDRESS, nonce),
        server_proof.of(SECRET, "127.0.0.1:18001", nonce),
        server_proof.of(SECRET, ADDRESS, server_proof.new_nonce()),
        server_proof.token(SECRET),
    }
    assert len(others) == 4
    assert given not in others
    assert SECRET not in given


@pytest.mark.parametrize(
    ("given", "expected", "same"),
    [
        ("a", "a", True),
        ("", "", True),
        ("a", "b", False),
        ("a", "ab", False),
        ("ä", "ä", True),
        ("\ud800", "a", False),
    ],
)
def test_secrets_of_any_characters_are_compared(given: str, expected: str, same: bool) -> None:
    assert server_proof.matches(given, expected) is same
