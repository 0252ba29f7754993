"""From which address a request comes, behind proxies or not, and what of the address a limit counts by.

Source of the header: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For. Each proxy appends
the address that it saw, so only entries to the right of the first untrusted one count.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

type Network = IPv4Network | IPv6Network
type Address = IPv4Address | IPv6Address

# One household or server gets a /64 of IPv6, so a limit by single address has no effect.
_PREFIX_OF_ONE_CALLER = 64
_MOST_HOPS = 32
# an address in brackets with its zone and port has fewer
_LONGEST = 64
# of one network: eight groups of IPv6 and /128
MOST_CHARACTERS = 43
MOST_NETWORKS = 50


def read_networks(texts: Iterable[str]) -> list[Network]:
    """Addresses and networks such as 10.0.0.0/8. Raises ValueError with a sentence that names the bad one."""
    wanted = [text.strip() for text in texts if text.strip()]
    if len(wanted) > MOST_NETWORKS:
        raise ValueError(f"{len(wanted)} addresses and networks; at most {MOST_NETWORKS} are possible")
    found = []
    for text in wanted:
        try:
            found.append(ip_network(text))
        except ValueError:
            raise ValueError(
                f"{text[:MOST_CHARACTERS]!r} is not an address or a network; write 203.0.113.9, 10.0.0.0/8 or "
                "2001:db8::/32, without bits behind the prefix"
            ) from None
    return found


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether a peer is in one of these networks; a peer without a readable address is in none."""
    if not networks:
        return False
    found = _read(address)
    return found is not None and any(found in network for network in networks)


def behind_proxies(peer: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """The client's address: the peer's, or, where the peer is a trusted proxy, the last entry of `forwarded_for` that
    is not one. An unreadable entry ends the search: entries before it may be forged."""
    client = peer
    for entry in reversed(forwarded_for.split(",")[-_MOST_HOPS:]):
        found = _read(entry.strip())
        if found is None or not is_within(client, proxies):
            break
        client = str(found)
    return client


def limit_key(address: str) -> str:
    """The key of a limit: the IPv4 address, the /64 of an IPv6 address, or the text itself."""
    found = _read(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, _PREFIX_OF_ONE_CALLER), strict=False).network_address)
    return str(found) if found else address[:64]


def _read(text: str) -> Address | None:
    """The address in a text, None in one that holds none."""
    return _parsed(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=1024)  # each request needs its own several times
def _parsed(text: str) -> Address | None:
    """The address in a text; a port behind it is passed over, and IPv4 within IPv6 is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
