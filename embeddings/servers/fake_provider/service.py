"""The fake provider without its network: a request's path and body in, the reply out."""

import random
import time
from collections import deque
from typing import Any

import orjson

from embeddings.servers.fake_provider import dialects, replies, vectors
from embeddings.servers.fake_provider.http import Request
from embeddings.servers.fake_provider.replies import OPENAI, Reply, refusal
from embeddings.servers.fake_provider.settings import STATUS_FAULTS, Settings, SettingsError
from embeddings.servers.fake_provider.stats import Stats


class Service:
    """Settings, counters and the random choices, which the seed makes the same every time."""

    def __init__(self, settings: Settings) -> None:
        self.stats = Stats()
        self._settings = settings
        self._planned = deque(settings.fail_next)
        self._down = 0  # coming requests that find the server down
        self._free_at = 0.0  # when the last of the serialized requests is done
        self._random = random.Random(settings.seed)

    def counts(self, request: Request) -> bool:
        """Whether this is a request for embeddings, which the counters count."""
        return request.method == "POST" and bool(dialects.shape_of(request.path))

    def reply(self, request: Request) -> Reply:
        """The reply; never raises for input of a client."""
        reply = self._reply(request)
        return replies.packed(reply) if self._settings.gzip and self.counts(request) else reply

    def _reply(self, request: Request) -> Reply:
        if self.counts(request):
            shape = dialects.shape_of(request.path)
            return dialects.unwelcome(self._settings, shape, request) or self._embed(shape, request.body)
        match request.method, request.path:
            case "GET", "/stats":
                return _json(self.stats.as_dict())
            case "GET", "/config":
                return self._configuration()
            case "POST", "/config":
                return self._configure(request.body)
            case "GET", "/v1/models":
                return _json(
                    {"object": "list", "data": [{"id": "fake", "object": "model", "owned_by": "fake"}]}
                )
        return dialects.elsewhere(self._settings, request)

    def _configure(self, body: bytes) -> Reply:
        try:
            changes = orjson.loads(body)
            if not isinstance(changes, dict):
                raise SettingsError("The body is not a JSON object.")
            reset = changes.pop("reset", True)
            self._settings = self._settings.changed(changes)
        except ValueError as error:
            return refusal(OPENAI, 400, "invalid_setting", str(error))
        if "fail_next" in changes:
            self._planned = deque(self._settings.fail_next)
        if reset:
            self.stats.reset()
            self._down = 0
            self._random = random.Random(self._settings.seed)
        return self._configuration()

    def _configuration(self) -> Reply:
        """The settings in force, with the remaining planned faults."""
        return _json({**self._settings.model_dump(), "fail_next": list(self._planned)})

    def _embed(self, shape: str, body: bytes) -> Reply:
        try:
            asked = orjson.loads(body)
            texts = dialects.texts_of(asked["input"])
            given = 0 if self._settings.ignore_dimensions else asked.get("dimensions")
            dimensions = given or self._settings.dimensions
            if type(dimensions) is not int or not 0 < dimensions <= 16_000:
                raise ValueError(f"dimensions cannot be {dimensions!r}")
        except (ValueError, KeyError, TypeError) as error:
            return refusal(shape, 400, "invalid_request", f"The request cannot be read: {error!r}.")
        self.stats.arrived(texts)
        fault = self._fault()
        if fault:
            self.stats.faults[fault] += 1
        if fault in STATUS_FAULTS:
            return replies.status_fault(shape, fault, self._settings)
        if fault == "hang":
            return Reply(504, b"", self._settings.hang_s)
        if self._is_deadly(texts):
            self._down = self._settings.down_requests
            self.stats.refused(texts)
            return Reply(200, b"{", cut=True, closes=True)
        wants_base64 = shape == OPENAI and asked.get("encoding_format") == "base64"
        if refused := dialects.refused(self._settings, shape, asked, texts):
            self.stats.refused(texts)
            return refused
        model = str(asked.get("model", "fake"))
        return self._embedded(shape, model, texts, dimensions, wants_base64, fault)

    def _fault(self) -> str | None:
        """The fault planned for this request, or one by chance."""
        if self._down:
            self._down -= 1
            return "503"
        if self._planned:
            return self._planned.popleft()
        settings = self._settings
        for name, rate in (
            ("hang", settings.rate_hang),
            ("429", settings.rate_429),
            ("500", settings.rate_500),
        ):
            if rate and self._random.random() < rate:
                return name
        return None

    def _is_deadly(self, texts: list[str]) -> bool:
        deadly, most = self._settings.deadly, self._settings.deadly_tokens
        is_too_long = bool(most) and any(dialects.tokens_of([text]) > most for text in texts)
        return is_too_long or (bool(deadly) and any(deadly in text for text in texts))

    def _embedded(
        self, shape: str, model: str, texts: list[str], dimensions: int, wants_base64: bool, fault: str | None
    ) -> Reply:
        settings = self._settings
        write = vectors.as_base64 if wants_base64 and not settings.no_base64 else vectors.as_numbers
        make = vectors.from_pool if settings.vectors == "pool" else vectors.from_words
        found = replies.spoil(make(texts, dimensions, write), dimensions, write, fault)
        found = [b"[%b]" % vector for vector in found] if settings.nested else found
        tokens = dialects.tokens_of(texts)
        self.stats.embedded += len(texts)
        self.stats.tokens += tokens
        usage = not settings.no_usage
        body = replies.embeddings(shape, model, found, tokens, usage, fault, settings.index)
        delay = (settings.latency_ms + settings.per_text_ms * len(texts)) / 1000
        return replies.deliver(body, self._in_line(delay), settings, fault)

    def _in_line(self, seconds: float) -> float:
        """When a request of this duration is done: after all earlier ones, if requests are serialized."""
        if not self._settings.one_by_one:
            return seconds
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + seconds
        return self._free_at - now


def _json(value: Any) -> Reply:
    return Reply(200, orjson.dumps(value))
