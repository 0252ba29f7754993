"""What the fake provider refuses as other servers do: paths, headers, fields, sizes, lists and poisoned texts; pure."""

from typing import Any
from urllib.parse import parse_qsl

import orjson

from embeddings.servers.fake_provider.http import Request
from embeddings.servers.fake_provider.replies import OLLAMA, OPENAI, Reply, refusal
from embeddings.servers.fake_provider.settings import Settings

_SHAPES = {"/v1/embeddings": OPENAI, "/embeddings": OPENAI, "/api/embed": OLLAMA}
_DEPLOYMENTS = "/openai/deployments/"
_CHARACTERS_A_TOKEN = 4


def shape_of(path: str) -> str:
    """The protocol spoken at a path, Azure's deployments included; "" where no vectors are given."""
    is_deployment = path.startswith(_DEPLOYMENTS) and path.endswith("/embeddings") and path.count("/") == 4
    return OPENAI if is_deployment else _SHAPES.get(path, "")


def elsewhere(settings: Settings, request: Request) -> Reply:
    """The reply at a path that is not there: 404, or LM Studio's 200 with an error."""
    if settings.error_200_elsewhere:
        message = f"Unexpected endpoint or method. ({request.method} {request.path})"
        return Reply(200, orjson.dumps({"error": message}))
    return refusal(OPENAI, 404, "not_found", f"There is no {request.method} {request.path} here.")


def unwelcome(settings: Settings, shape: str, request: Request) -> Reply | None:
    """The refusal of a request whose query or headers lack what the server demands."""
    if settings.api_version and ("api-version", settings.api_version) not in parse_qsl(request.query):
        return refusal(shape, 404, "404", "Resource not found")
    name, _, value = settings.required_header.partition("=")
    if name and not request.has_header(name, value):
        return refusal(shape, 401, "unauthorized", f"The header {name} is missing or wrong.")
    return None


def refused(settings: Settings, shape: str, asked: dict[str, Any], texts: list[str]) -> Reply | None:
    """The refusal that a real server would give for these texts, if it would."""
    reply = _for_fields(settings, shape, asked) or _for_size(settings, shape, texts)
    if reply is None and settings.poison and any(settings.poison in text for text in texts):
        return refusal(shape, settings.poison_status, "invalid_input", "One of the inputs is refused.")
    return reply


def _for_fields(settings: Settings, shape: str, asked: dict[str, Any]) -> Reply | None:
    for name in settings.refuse_fields:
        if name in asked:
            return _refusal(settings, shape, "unknown_field", f"Extra inputs are not permitted: {name}.")
    if settings.string_input and not isinstance(asked["input"], str):
        return _refusal(settings, shape, "string_type", "input: a string is expected.")
    return None


def _for_size(settings: Settings, shape: str, texts: list[str]) -> Reply | None:
    if not texts or not all(texts):
        return refusal(shape, 400, "invalid_request", "input cannot be an empty string or an empty list.")
    if len(texts) > settings.max_inputs:
        message = (
            f"'input' is too long: an array with maximum length {settings.max_inputs} is expected, "
            f"not one with length {len(texts)}."
        )
        return _refusal(settings, shape, "array_above_max_length", message)
    longest = max(map(len, texts)) // _CHARACTERS_A_TOKEN
    if longest > settings.max_tokens_per_text:
        return _too_long(settings, shape, longest)
    if (tokens := tokens_of(texts)) > settings.max_tokens_per_request:
        message = f"Requested {tokens} tokens, max {settings.max_tokens_per_request} tokens per request."
        return _refusal(settings, shape, "max_tokens_per_request", message)
    return None


def _too_long(settings: Settings, shape: str, tokens: int) -> Reply:
    if settings.cut_too_long:
        return Reply(200, b"{", cut=True, closes=True)
    message = (
        f"This model's maximum context length is {settings.max_tokens_per_text} tokens, however you "
        f"requested {tokens} tokens."
    )
    return _refusal(settings, shape, "context_length_exceeded", message)


def _refusal(settings: Settings, shape: str, code: str, message: str) -> Reply:
    if settings.vague:
        code, message = "bad_request", "The request was rejected."
    return refusal(shape, settings.refusal_status, code, message)


def texts_of(given: Any) -> list[str]:
    """The texts of `input`; raises ValueError for anything but a text or a list of texts."""
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("input must be a text or a list of texts")
    return texts


def tokens_of(texts: list[str]) -> int:
    """As the fake provider counts: four characters a token."""
    return max(1, sum(map(len, texts)) // _CHARACTERS_A_TOKEN)
