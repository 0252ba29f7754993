"""Whose word is taken for the address of a request, and what of an address a limit counts by."""

from ipaddress import ip_network

import pytest

from access import addresses

PROXIES = [ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # a stranger's own word
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # what a client wrote stands left
        ("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("fd00::1", "[2001:db8::5]:4711", "2001:db8::5"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", ",,,", "127.0.0.1"),
        ("", "198.51.100.1", ""),
        ("127.0.0.1", "198.51.100.1," + "10.0.0.1," * 100_000 + "10.0.0.1", "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_say_who_the_client_is(peer: str, forwarded_for: str, client: str) -> None:
    assert addresses.behind_proxies(peer, forwarded_for, PROXIES) == client


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("", ""),
        ("x" * 10_000, "x" * 64),
    ],
)
def test_one_caller_has_one_key(address: str, key: str) -> None:
    assert addresses.limit_key(address) == key
