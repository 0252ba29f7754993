"""A provider's address, and how the local embedder is recognized."""

from dataclasses import dataclass, field, replace

import httpx

from embeddings.servers.local_embedder import server_proof


@dataclass(frozen=True)
class Endpoint:
    """The address of a provider's requests.

    `socket`: a Unix socket used instead of the address's host; its owner must be trusted (embedder_identity.py).
    `secret`: the server must prove it on each new connection before it is sent anything (embedder_identity.py).
    `extra`: headers of the operator's. `proxy`: the address of an HTTP proxy, with its password if it has one.
    `ca_file`: the authorities to trust instead of the built-in ones, a PEM file. `url` may have a query.
    """

    url: str
    socket: str = ""
    secret: str = field(default="", repr=False)
    extra: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    proxy: str = field(default="", repr=False)
    ca_file: str = ""

    @property
    def where(self) -> str:
        """Its name in a sentence for operators."""
        url = httpx.URL(self.url)
        if self.socket:
            return f"the local embedder at {self.socket}"
        if self.secret:
            return f"the local embedder at {url.host}:{url.port}"
        return url.host

    def at(self, path: str) -> "Endpoint":
        """The same provider, at a path below its address."""
        address, mark, query = self.url.partition("?")
        return replace(self, url=f"{address.rstrip('/')}{path}{mark}{query}")

    @property
    def next_hop(self) -> str:
        """What this machine connects to, in a sentence: the proxy, if there is one."""
        return f"the proxy {httpx.URL(self.proxy).host} before {self.where}" if self.proxy else self.where

    @property
    def headers(self) -> dict[str, str]:
        """Headers by which the server recognizes us, and the operator's."""
        own = {"authorization": f"Bearer {server_proof.token(self.secret)}"} if self.secret else {}
        return own | dict(self.extra)
