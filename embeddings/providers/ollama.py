"""Ollama's own protocol, `/api/embed`."""

from embeddings.providers import replies, transport
from embeddings.providers.base import Limits, Matrix
from embeddings.providers.endpoint import Endpoint

OLLAMA_LIMITS = Limits(max_inputs=32, max_tokens=32_768, batch=32)


class OllamaProvider:
    dialect = "Ollama's own"

    def __init__(self, base: Endpoint, model: str, dimensions: int, limits: Limits = OLLAMA_LIMITS) -> None:
        self.limits = limits
        self._endpoint = base.at("/api/embed")
        self._model = model
        self._dimensions = dimensions

    def embed(self, texts: list[str], deadline: float, *, is_query: bool = False) -> Matrix:
        # truncate: otherwise the server cuts long texts silently; an error is better
        payload = {"model": self._model, "input": texts, "truncate": False, "keep_alive": "30m"}
        most_bytes = replies.most_bytes(len(texts), self._dimensions)
        reply = transport.post(self._endpoint, payload, deadline=deadline, most_bytes=most_bytes)
        vectors = replies.vectors_in(reply, len(texts), self._endpoint.where)
        return replies.matrix_of(vectors, self._dimensions)
