"""Says in plain words what pydantic found wrong with a request."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MAX_ERRORS = 20
_MAX_NAME = 100

type Context = Mapping[str, Any]

_WORDS: dict[str, Callable[[Context], str]] = {
    "missing": lambda ctx: "is missing",
    "extra_forbidden": lambda ctx: "is not a field of this request",
    "string_type": lambda ctx: "must be text",
    "string_unicode": lambda ctx: "holds half of a character (a lone surrogate), which is not text",
    "string_sub_type": lambda ctx: "must be text",
    "int_type": lambda ctx: "must be a whole number",
    "int_parsing": lambda ctx: "must be a whole number",
    "int_parsing_size": lambda ctx: "is too large a number",
    "int_from_float": lambda ctx: "must be a whole number",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']:,}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']:,}",
    "dict_type": lambda ctx: "must be a JSON object",
    "model_type": lambda ctx: "must be a JSON object",
    "literal_error": lambda ctx: f"must be {ctx['expected']}",
}


def errors_in_words(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """{"field", "message"} for each of ninja's errors, the first ones of very many."""
    return [_in_words(error) for error in errors[:MAX_ERRORS]]


def _in_words(error: Mapping[str, Any]) -> dict[str, str]:
    field = _field(error["loc"])
    context = error.get("ctx", {})
    if error["type"] == "value_error":  # a check of ours: a whole sentence
        return {"field": field, "message": str(context["error"])}
    words = _WORDS.get(error["type"])
    said = words(context) if words else f"cannot be used: {error['msg']}"
    return {"field": field, "message": f"{field} {said}"}


def _field(location: Sequence[str | int]) -> str:
    """The name of a field, without the part of the request and the parameter it was found in."""
    source, *names = location
    if source == "body" and names:
        names = names[1:]
    elif source == "query":  # a parameter that may be given several times comes with its place in a model
        names = [name for name in names if isinstance(name, str)]
        del names[:-1]
    name = ".".join(str(part) for part in names) or ("the body" if source == "body" else str(source))
    return name[:_MAX_NAME]
