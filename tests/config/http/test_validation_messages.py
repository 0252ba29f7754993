"""What pydantic found wrong, in words."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.http.validation_messages import MAX_ERRORS, errors_in_words


def error(kind: str, *location: str | int, **context: Any) -> dict[str, Any]:
    return {"type": kind, "loc": location, "msg": "Pydantic's Words", "ctx": context}


@pytest.mark.parametrize(
    ("location", "field"),
    [
        (("body", "payload", "title"), "title"),
        (("body", "payload", "metadata", "a", 0), "metadata.a.0"),
        (("body", "payload"), "the body"),
        (("body",), "the body"),
        (("query", "limit"), "limit"),
        (("query", "asked", "status", 0), "status"),
        (("path", "number"), "number"),
        (("header",), "header"),
        (("query", "x" * 1_000), "x" * 100),
    ],
)
def test_a_field_is_named_as_its_sender_knows_it(location: tuple[str | int, ...], field: str) -> None:
    (found,) = errors_in_words([error("missing", *location)])
    assert found["field"] == field
    assert found["message"].startswith(field)


def test_a_check_of_ours_is_a_whole_sentence_already() -> None:
    (found,) = errors_in_words([error("value_error", "body", "p", "slug", error=ValueError("slug is odd"))])
    assert found == {"field": "slug", "message": "slug is odd"}


def test_numbers_are_written_for_people() -> None:
    low, high = errors_in_words(
        [
            error("greater_than_equal", "query", "a", ge=1_000),
            error("less_than_equal", "query", "b", le=2_000_000),
        ]
    )
    assert "1,000" in low["message"]
    assert "2,000,000" in high["message"]


def test_what_has_no_words_of_ours_has_pydantics() -> None:
    (found,) = errors_in_words([{"type": "new_in_pydantic_9", "loc": ("query", "a"), "msg": "Is odd"}])
    assert "Is odd" in found["message"]


@pytest.mark.parametrize(("number", "told"), [(0, 0), (1, 1), (MAX_ERRORS, MAX_ERRORS), (10_000, MAX_ERRORS)])
def test_the_first_of_very_many_are_shown(number: int, told: int) -> None:
    assert len(errors_in_words([error("missing", "query", n) for n in range(number)])) == told


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = "a"
    number: int = Field(default=1, ge=1, le=9)
    table: dict[str, Any] = Field(default_factory=dict)
    mode: Literal["a", "b"] = "a"


@pytest.mark.parametrize(
    "given",
    [
        {"text": 1}, {"number": "1"}, {"number": 1.5}, {"number": 0}, {"number": 10},
        {"table": []}, {"mode": "c"}, {"other": 1}, [],
    ],
)  # fmt: skip
def test_each_error_that_a_request_can_have_has_words_of_ours(given: dict[str, Any] | list[Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        _Asked.model_validate(given)
    errors = [{**each, "loc": ("body", "payload", *each["loc"])} for each in refused.value.errors()]
    assert not [found for found in errors_in_words(errors) if "cannot be used" in found["message"]]
