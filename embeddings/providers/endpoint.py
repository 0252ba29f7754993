"""A provider's address, and how the local embedder is recognized."""

from dataclasses import dataclass, field, replace

import httpx

from embeddings.servers.local_embedder import proof


@dataclass(frozen=True)
class Endpoint:
    """The address of a provider's requests.

    `socket`: a Unix socket used instead of the address's host; its owner must be trusted (peers.py).
    `secret`: the server must prove it on each new connection before it is sent anything (peers.py).
    """

    url: str
    socket: str = ""
    secret: str = field(default="", repr=False)

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
        return replace(self, url=f"{self.url}{path}")

    @property
    def headers(self) -> dict[str, str]:
        """Headers by which the server recognizes us."""
        return {"authorization": f"Bearer {proof.token(self.secret)}"} if self.secret else {}
