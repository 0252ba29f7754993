"""The OpenAI embeddings protocol: reads a request, renders the reply or the refusal.

Source: the "Create embeddings" page of the OpenAI API reference.
"""

import base64
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from embeddings.servers.local_embedder import model, wordpiece

MAX_INPUTS = 2_048
MAX_CHARACTERS = 65_536
"""Far more than 512 tokens have, so that a hopeless text is not counted."""
_KINDS = {type(None): "null", bool: "true or false", float: "a number", dict: "an object"}


class Refusal(Exception):
    """A request that gets no vectors: an HTTP status, a code for programs, a sentence for people."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def body(self) -> bytes:
        """The error object of the protocol."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": str(self), "type": kind, "param": None, "code": self.code}
        return orjson.dumps({"error": error})


@dataclass(frozen=True)
class Request:
    """One request: the token ids of each text, and the notation of its vectors."""

    texts: list[list[int]]
    base64: bool

    @property
    def tokens(self) -> int:
        """How many tokens the model reads, marks at start and end included."""
        return sum(map(len, self.texts))


def read(body: bytes) -> Request:
    """The request in `body`; raises Refusal if this model cannot serve it."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad("invalid_json", f"The body is not JSON: {error}.") from None
    if not isinstance(asked, dict):
        raise _bad("invalid_json", "The body is not a JSON object.")
    _check_model(asked.get("model"))
    if asked.get("dimensions", model.DIMENSIONS) != model.DIMENSIONS:
        raise _bad("invalid_dimensions", f"{model.NAME} has {model.DIMENSIONS} dimensions and no others.")
    encoding = asked.get("encoding_format", "float")
    if encoding not in ("float", "base64"):
        raise _bad("invalid_encoding_format", f"encoding_format is {encoding!r}; it may be float or base64.")
    texts = [_ids(text, at) for at, text in enumerate(_inputs(asked.get("input")))]
    return Request(texts, encoding == "base64")


def answer(request: Request, vectors: NDArray[np.float32]) -> bytes:
    """The list object of the protocol, one embedding per text in their order."""
    rows = [_base64(row) for row in vectors] if request.base64 else list(vectors)
    usage = {"prompt_tokens": request.tokens, "total_tokens": request.tokens}
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    found = {"object": "list", "data": data, "model": model.NAME, "usage": usage}
    return orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY)


def models() -> bytes:
    """The list of the one model."""
    only = {"id": model.NAME, "object": "model", "owned_by": "local"}
    return orjson.dumps({"object": "list", "data": [only]})


def _check_model(name: Any) -> None:
    if name != model.NAME:
        message = f"There is no model {name!r} here; the one there is: {model.NAME}."
        raise Refusal(HTTPStatus.NOT_FOUND, "model_not_found", message)


def _inputs(asked: Any) -> list[Any]:
    texts = [asked] if isinstance(asked, str) else asked
    if not isinstance(texts, list) or not texts:
        raise _bad("invalid_input", "input must be a text or a list of texts, with at least one.")
    if any(type(text) in (int, list) for text in texts):
        raise _bad(
            "token_arrays_not_supported",
            f"input holds token ids, and {model.NAME} takes texts: its tokens are not those of other models. Send "
            "text: langchain-openai does so with check_embedding_ctx_length=False.",
        )
    if len(texts) > MAX_INPUTS:
        raise _bad("too_many_inputs", f"input has {len(texts)} texts; one request takes {MAX_INPUTS}.")
    return texts


def _ids(text: Any, at: int) -> list[int]:
    if not isinstance(text, str):
        raise _bad(
            "invalid_input", f"input[{at}] must be a text; it is {_KINDS.get(type(text), 'something else')}."
        )
    if not text:
        raise _bad("invalid_input", f"input[{at}] is empty; it must have at least one character.")
    if len(text) > MAX_CHARACTERS:
        message = f"input[{at}] has {len(text)} characters; at most {MAX_CHARACTERS} are looked at."
        raise _bad("context_length_exceeded", message)
    try:
        return wordpiece.encode(text)
    except wordpiece.TooManyTokens as error:
        raise _bad("context_length_exceeded", f"input[{at}]: {error}") from None


def _base64(row: NDArray[np.float32]) -> str:
    return base64.b64encode(row.astype("<f4", copy=False).tobytes()).decode("ascii")


def _bad(code: str, message: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, code, message)
