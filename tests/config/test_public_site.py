"""What the public address means for hosts and origins."""

import pytest

from config import public_site


@pytest.mark.parametrize(
    ("public_url", "allowed", "hosts"),
    [
        ("", "localhost, 127.0.0.1,", ["localhost", "127.0.0.1"]),
        ("https://a.example", "localhost", ["localhost", "a.example"]),
        ("https://a.example:8443", "a.example", ["a.example"]),
        ("https://[2001:db8::1]", "localhost", ["localhost", "[2001:db8::1]"]),
    ],
)
def test_the_site_answers_to_its_public_name(public_url: str, allowed: str, hosts: list[str]) -> None:
    assert public_site.hosts(public_url, allowed) == hosts


@pytest.mark.parametrize(
    ("public_url", "trusted", "origins"),
    [
        ("", "", []),
        ("https://a.example:8443", "", ["https://a.example:8443"]),
        ("https://a.example", "https://b.example", ["https://b.example", "https://a.example"]),
    ],
)
def test_forms_of_the_public_address_are_trusted(public_url: str, trusted: str, origins: list[str]) -> None:
    assert public_site.origins(public_url, trusted) == origins
