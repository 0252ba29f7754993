"""Any server that speaks OpenAI's embeddings protocol: OpenAI itself, the local embedder, and many others."""

from typing import Any

from embeddings.providers import replies, transport
from embeddings.providers.base import Limits, Matrix
from embeddings.providers.errors import ErrorClass, ProviderError

# https://platform.openai.com/docs/api-reference/embeddings/create: 2,048 inputs and 300,000 tokens a request.
# We pack by estimated tokens, so a tenth stays in reserve.
OPENAI_LIMITS = Limits(max_inputs=2_048, max_tokens=270_000, batch=256)
# One process computes a few texts a second on an old machine: with small batches every waiting one still ends in time.
LOCAL_LIMITS = Limits(max_inputs=8, max_tokens=4_096, batch=8)


class OpenAIProvider:
    """`ask_dimensions` sends the wanted width along, for models that can shorten their vectors."""

    def __init__(
        self,
        base_url: str,
        model: str,
        dimensions: int,
        *,
        api_key: str = "",
        limits: Limits = OPENAI_LIMITS,
        ask_dimensions: bool = False,
    ) -> None:
        self.limits = limits
        self._url = f"{base_url}/embeddings"
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._request: dict[str, Any] = {"model": model, "encoding_format": "base64"}
        if ask_dimensions:
            self._request["dimensions"] = dimensions
        self._dimensions = dimensions
        self._is_understood = False

    def embed(self, texts: list[str], deadline: float) -> Matrix:
        reply = self._ask(texts, deadline)
        items = reply.get("data") if isinstance(reply, dict) else None
        return replies.matrix_of(replies.in_order(items, len(texts)), self._dimensions)

    def _ask(self, texts: list[str], deadline: float) -> Any:
        try:
            reply = self._post(self._request, texts, deadline)
        except ProviderError as error:
            if error.kind is not ErrorClass.INVALID_INPUT or self._is_understood:
                raise
            # some servers refuse the word base64 itself: one that never took it is asked once more without
            floats = {key: value for key, value in self._request.items() if key != "encoding_format"}
            reply = self._post(floats, texts, deadline)
            self._request = floats
        self._is_understood = True
        return reply

    def _post(self, request: dict[str, Any], texts: list[str], deadline: float) -> Any:
        return transport.post(
            self._url, {**request, "input": texts}, deadline=deadline, headers=self._headers
        )
