"""Ollama's own protocol, `/api/embed`."""

from embeddings.providers import replies, transport
from embeddings.providers.base import Limits, Matrix
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError

LIMITS = Limits(max_inputs=32, max_tokens=32_768, batch=32)


class OllamaProvider:
    def __init__(self, base: Endpoint, model: str, dimensions: int) -> None:
        self.limits = LIMITS
        self._endpoint = base.at("/api/embed")
        self._model = model
        self._dimensions = dimensions

    def embed(self, texts: list[str], deadline: float) -> Matrix:
        # truncate: otherwise the server cuts long texts silently; an error is better
        payload = {"model": self._model, "input": texts, "truncate": False, "keep_alive": "30m"}
        most_bytes = replies.most_bytes(len(texts), self._dimensions)
        reply = transport.post(self._endpoint, payload, deadline=deadline, most_bytes=most_bytes)
        vectors = reply.get("embeddings") if isinstance(reply, dict) else None
        if not isinstance(vectors, list) or len(vectors) != len(texts):
            raise ProviderError(
                ErrorClass.TRANSIENT, f"the provider's reply is unusable: no {len(texts)} vectors in it"
            )
        return replies.matrix_of(vectors, self._dimensions)
