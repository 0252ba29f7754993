"""Any server that speaks OpenAI's embeddings protocol: OpenAI itself, the local embedder, and many others."""

import time
from typing import Any

from embeddings.providers import replies, transport
from embeddings.providers.base import Limits, Matrix
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError

# https://platform.openai.com/docs/api-reference/embeddings/create: 2,048 inputs and 300,000 tokens per request.
# We pack by estimated tokens, so a tenth stays in reserve.
OPENAI_LIMITS = Limits(max_inputs=2_048, max_tokens=270_000, batch=512)
# One process computes a few texts per second on an old machine: small batches still end in time.
LOCAL_LIMITS = Limits(max_inputs=8, max_tokens=4_096, batch=8)
_HARMLESS = "text"


class OpenAIProvider:
    """`ask_dimensions` sends the wanted width, for models that can shorten their vectors."""

    def __init__(
        self,
        base: Endpoint,
        model: str,
        dimensions: int,
        *,
        api_key: str = "",
        limits: Limits = OPENAI_LIMITS,
        ask_dimensions: bool = False,
    ) -> None:
        self.limits = limits
        self._endpoint = base.at("/embeddings")
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._request: dict[str, Any] = {"model": model, "encoding_format": "base64"}
        if ask_dimensions:
            self._request["dimensions"] = dimensions
        self._dimensions = dimensions
        self._is_understood = False

    def embed(self, texts: list[str], deadline: float) -> Matrix:
        reply = self._ask(texts, time.monotonic() + deadline)
        items = reply.get("data") if isinstance(reply, dict) else None
        return replies.matrix_of(replies.in_order(items, len(texts)), self._dimensions)

    def _ask(self, texts: list[str], ends: float) -> Any:
        asked = self._request
        try:
            reply = self._post(asked, texts, ends)
        except ProviderError as error:
            if error.kind is not ErrorClass.INVALID_INPUT or self._is_understood:
                raise
            self._learn(ends)
            if self._request is asked:  # then the texts are refused
                raise
            return self._post(self._request, texts, ends)
        self._is_understood = True
        return reply

    def _learn(self, ends: float) -> None:
        """Finds the accepted dialect with a harmless text: some servers refuse base64. A server that refuses even
        that is not configured for us, and no text is at fault."""
        floats = {key: value for key, value in self._request.items() if key != "encoding_format"}
        for request in (self._request, floats):
            try:
                self._post(request, [_HARMLESS], ends)
            except ProviderError as error:
                if error.kind is not ErrorClass.INVALID_INPUT:
                    raise
                refusal = error
            else:
                self._request, self._is_understood = request, True
                return
        raise ProviderError(
            ErrorClass.PROVIDER_DOWN,
            f"{refusal}, even a harmless one: check the model's name and its dimensions",
        )

    def _post(self, request: dict[str, Any], texts: list[str], ends: float) -> Any:
        return transport.post(
            self._endpoint,
            {**request, "input": texts},
            deadline=ends - time.monotonic(),
            headers=self._headers,
            most_bytes=replies.most_bytes(len(texts), self._dimensions),
        )
