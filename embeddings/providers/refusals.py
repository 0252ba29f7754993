"""The class of a provider's error reply, by its status; words of the body are only a hint. Pure."""

import itertools
import re
from urllib.parse import urlsplit

from embeddings.providers.errors import ErrorClass, ProviderError

# Wordings of OpenAI, Ollama, vLLM, Text Embeddings Inference, Mistral, Voyage and Cohere, per text or per request.
_TOO_LONG_SIGNS = (
    "context_length",
    "context length",
    "maximum context",
    "maximum length",
    "max_tokens",
    "too long",
    "input is too large",
    "request too large",
    "too many tokens",
    "too many inputs",
    "too_many_inputs",
    "batch size",
    "max allowed tokens",
    "must have less than",
    "total number of texts",
)
# Statuses about the body; every other 4xx is about the request's path, and not the fault of a text.
_REFUSED = (400, 413, 422)
# Statuses that a server may give for a form of request that it does not understand.
_FORM = (200, 400, 406, 413, 415, 422, 500, 501)
# Not found, method not allowed, proxy authentication, gone, misdirected: the wrong server.
_ELSEWHERE = (404, 405, 407, 410, 421)
# https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
_CLOUDFLARE = (*range(520, 528), 530)
# llama.cpp refuses a text that does not fit with a 500, in these words
_TOO_LONG_FOR_A_500 = ("too large to process", "input is larger")
_NO_MEMORY = ("requires more system memory", "out of memory")
_MOST_NUMBERS, _NUMBER = 8, re.compile(r"(?<![\w.])\d{1,6}(?![\w.]*\w)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_MOST_LOCATION = 200


def error_of(
    status: int, retry_after: float | None, body: bytes | bytearray, where: str, location: str = ""
) -> ProviderError:
    """The error of a reply that brings no vectors. The body itself is not repeated: a provider may quote the article
    in it. `location` is where a redirect points."""
    text = bytes(body).decode(errors="replace").lower()
    kind, reason = _class_of(status, text, location)
    waits = retry_after if kind in (ErrorClass.RATE_LIMITED, ErrorClass.PROVIDER_DOWN) else None
    return ProviderError(kind, f"{where} returned {status}: {reason}", waits, status, numbers_in(text))


def is_about_form(error: ProviderError) -> bool:
    """Whether the server may have refused the form of the request rather than its texts."""
    return error.status in _FORM


def _class_of(status: int, text: str, location: str) -> tuple[ErrorClass, str]:
    if status in (401, 402, 403) or (status == 429 and "insufficient_quota" in text):
        return ErrorClass.AUTH, "check the key, its quota and its payment"
    if status == 429:
        return ErrorClass.RATE_LIMITED, "too many requests"
    if status in (502, 503, 504, 529):
        return ErrorClass.PROVIDER_DOWN, "it is overloaded" if status == 529 else "it is not ready"
    if (elsewhere := _elsewhere(status, text, location)) is not None:
        return ErrorClass.PROVIDER_DOWN, elsewhere
    if _is_too_long(status, text):
        return ErrorClass.TOO_LONG, "the text or the request is too long"
    if status in _REFUSED:
        return ErrorClass.INVALID_INPUT, "it refuses the text"
    return ErrorClass.TRANSIENT, "an error of its own"


def _elsewhere(status: int, text: str, location: str) -> str | None:
    """The next step if no text is at fault, and no waiting helps."""
    if 300 <= status < 400:
        return f"it redirects{_place(location)}: set the address to where the server is"
    if status in _ELSEWHERE:
        return "check the address and the model's name"
    if status in _CLOUDFLARE:
        return "the gateway in front of it cannot reach it: check that it runs"
    if status == 501:
        return (
            "it does not embed with this model: choose an embedding model, or start the server for embeddings"
        )
    if status == 500 and any(sign in text for sign in _NO_MEMORY):
        return "it has too little memory for the model: free memory, or choose a smaller model"
    return None


def _place(location: str) -> str:
    """Where a redirect points, without user, query or fragment, which may hold a secret."""
    try:
        parts = urlsplit(location)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    place = f"{parts.scheme}://{host}{port}{parts.path}" if parts.scheme and host else parts.path
    return f" to {place[:_MOST_LOCATION]}" if place.isprintable() and place else ""


def _is_too_long(status: int, text: str) -> bool:
    if status == 500:
        return any(sign in text for sign in _TOO_LONG_FOR_A_500)
    return status == 413 or (status in _REFUSED and any(sign in text for sign in _TOO_LONG_SIGNS))


def numbers_in(text: str) -> tuple[int, ...]:
    """The first whole numbers in a server's words."""
    found = itertools.islice(_NUMBER.finditer(_THOUSANDS.sub("", text)), _MOST_NUMBERS)
    return tuple(int(number[0]) for number in found)
