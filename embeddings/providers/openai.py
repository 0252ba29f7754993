"""Any server that speaks OpenAI's embeddings protocol: OpenAI itself, the local embedder, and many others."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embeddings.providers import refusals, replies, request_dialect, transport
from embeddings.providers.base import HARMLESS, Limits, Matrix
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError, WrongWidthError
from embeddings.providers.request_dialect import Form

# https://platform.openai.com/docs/api-reference/embeddings/create: 2,048 inputs and 300,000 tokens per request.
# We pack by estimated tokens, so a tenth stays in reserve.
OPENAI_LIMITS = Limits(max_inputs=2_048, max_tokens=270_000, batch=512)
# One process computes a few texts per second on an old machine: small batches still end in time.
LOCAL_LIMITS = Limits(max_inputs=8, max_tokens=4_096, batch=8)
# Fields that change no vector, or whose effect is checked: left out if the server refuses them.
_OPTIONAL = ("encoding_format", "user")
# After so many refusals in a row the server may have been replaced by one that speaks another dialect.
_REFUSALS_UNTIL_STRANGE = 8
# After a server understood nothing at all, which is more likely to be an outage than a dialect.
_QUIET_SECONDS = 60.0


@dataclass(frozen=True)
class Fields:
    """Fields of a request besides its texts: `optional` ones may be left out, the others are always sent; those of
    `query` are added for queries, or replace others."""

    optional: Mapping[str, Any] = field(default_factory=dict)
    always: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)


def fields_of(
    dimensions: int = 0,
    *,
    is_demanded: bool = False,
    extra: Mapping[str, Any] | None = None,
    query: Mapping[str, Any] | None = None,
) -> Fields:
    """The fields of a provider. `dimensions` is the width to ask for, 0 to ask for none; `is_demanded`: even if the
    server refuses that. `extra` are the operator's; `query` those for queries alone."""
    optional: dict[str, Any] = {"encoding_format": "base64"}
    always: dict[str, Any] = {}
    if dimensions:
        (always if is_demanded else optional)["dimensions"] = dimensions
    for name, value in (extra or {}).items():
        (optional if name in _OPTIONAL else always)[name] = value
    return Fields(optional, always, query or {})


class OpenAIProvider:
    """Learns at the first contact which form of request the server understands, once per instance."""

    def __init__(
        self,
        base: Endpoint,
        model: str,
        dimensions: int,
        *,
        headers: Mapping[str, str] | None = None,
        limits: Limits = OPENAI_LIMITS,
        fields: Fields | None = None,
    ) -> None:
        self.limits = limits
        self._endpoint = base.at("/embeddings")
        self._headers = dict(headers or {})
        self._model = model
        self._dimensions = dimensions
        self._fields = fields or fields_of()
        self._form = Form(tuple(self._fields.optional))
        self._is_understood = False
        self._refusals = 0
        self._quiet_until = 0.0
        self._learning = threading.Lock()

    def embed(self, texts: list[str], deadline: float, *, is_query: bool = False) -> Matrix:
        return self._ask(texts, time.monotonic() + deadline, is_query)

    @property
    def dialect(self) -> str:
        return str(self._form)

    def _ask(self, texts: list[str], ends: float, is_query: bool) -> Matrix:
        form = self._form
        try:
            matrix = self._send(form, texts, ends, is_query)
        except WrongWidthError:
            self._start_over()
            raise
        except ProviderError as error:
            if not refusals.is_about_form(error):
                raise
            if self._form == form and self._is_lesson(error, texts, is_query):
                self._learn(error, form, texts, ends, is_query)
            if self._form == form:  # then the texts are refused
                raise
            matrix = self._send(self._form, texts, ends, is_query)
        self._is_understood, self._refusals = True, 0
        return matrix

    def _start_over(self) -> None:
        """Learns again at the next request: a wrong width may come from a field that was left out."""
        self._form, self._is_understood = Form(tuple(self._fields.optional)), False

    def _is_lesson(self, error: ProviderError, texts: list[str], is_query: bool) -> bool:
        """Whether a refusal may be about the form: the server has never understood it, or refused ever since. An error
        of the server's own teaches only for a harmless text, which is sent after it, or for a search."""
        self._refusals += 1
        if self._refusals >= _REFUSALS_UNTIL_STRANGE:
            self._is_understood, self._refusals = False, 0
        is_plain = error.kind is ErrorClass.INVALID_INPUT or is_query or texts == [HARMLESS]
        is_quiet = error.status != 400 and time.monotonic() < self._quiet_until
        return is_plain and not self._is_understood and not is_quiet

    def _learn(
        self, refusal: ProviderError, refused: Form, texts: list[str], ends: float, is_query: bool
    ) -> None:
        """Finds the form that the server understands, by a harmless text. A server that understands none is not set
        up for us, and no text is at fault: raises ProviderError."""
        known = {refused: False} if texts == [HARMLESS] else {}

        def understands(form: Form) -> bool:
            return known[form] if form in known else self._understands(form, ends, is_query)

        with self._alone(ends):
            if self._form != refused:  # another thread has learned meanwhile
                return
            found = request_dialect.find(tuple(self._fields.optional), understands)
            if found is None:
                self._quiet_until = time.monotonic() + _QUIET_SECONDS
                raise self._misunderstood(refusal, ends)
            self._form, self._is_understood = found, True

    @contextlib.contextmanager
    def _alone(self, ends: float) -> Iterator[None]:
        """One thread learns; the others wait for it, and then use what it has learned."""
        if not self._learning.acquire(timeout=max(ends - time.monotonic(), 0.0)):
            raise ProviderError(
                ErrorClass.TRANSIENT, "the deadline passed while another thread asked the provider"
            )
        try:
            yield
        finally:
            self._learning.release()

    def _understands(self, form: Form, ends: float, is_query: bool) -> bool:
        try:
            self._post(form, [HARMLESS], ends, self._payload(form, is_query))
        except ProviderError as error:
            if not refusals.is_about_form(error):
                raise
            return False
        return True

    def _misunderstood(self, refusal: ProviderError, ends: float) -> ProviderError:
        """The error of a server that refuses even a harmless text. One that fails by itself keeps its own."""
        if refusal.status is not None and refusal.status >= 500:
            return refusal
        own = {**self._fields.always, **self._fields.query}
        if own and self._understands_without(own, ends):
            names = ", ".join(sorted(own))
            said = f"{refusal}, and accepts it without {names}: remove the one that it does not know, from "
            said += "EMBEDDING_EXTRA_FIELDS, EMBEDDING_QUERY_FIELDS or EMBEDDING_SEND_DIMENSIONS"
        else:
            said = f"{refusal}, even a harmless one: check the address, the model's name and its dimensions"
        return ProviderError(ErrorClass.PROVIDER_DOWN, said, status=refusal.status)

    def _understands_without(self, own: Mapping[str, Any], ends: float) -> bool:
        try:
            self._post(Form(), [HARMLESS], ends, {"model": self._model})
        except ProviderError:
            return False
        return True

    def _send(self, form: Form, texts: list[str], ends: float, is_query: bool) -> Matrix:
        payload = self._payload(form, is_query)
        if form.as_list:
            return self._post(form, texts, ends, payload)
        return np.vstack([self._post(form, [text], ends, payload) for text in texts])

    def _payload(self, form: Form, is_query: bool) -> dict[str, Any]:
        optional = {name: self._fields.optional[name] for name in form.fields}
        own = {**self._fields.always, **(self._fields.query if is_query else {})}
        return {"model": self._model, **optional, **own}

    def _post(self, form: Form, texts: list[str], ends: float, payload: dict[str, Any]) -> Matrix:
        reply = transport.post(
            self._endpoint,
            {**payload, "input": texts if form.as_list else texts[0]},
            deadline=ends - time.monotonic(),
            headers=self._headers,
            most_bytes=replies.most_bytes(len(texts), self._dimensions),
        )
        vectors = replies.vectors_in(reply, len(texts), self._endpoint.where)
        return replies.matrix_of(vectors, self._dimensions)
