"""What an article may hold."""

import math
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from articles import limits


def nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ([], "must be a JSON object"),
        ({"a": math.nan}, "cannot carry"),
        ({"a": math.inf}, "cannot carry"),
        ({"a": "\ud800"}, "cannot carry"),
        ({"a": object()}, "cannot carry"),
        ({"a": "b\x00"}, "cannot store"),
        ({"a\x00": 1}, "cannot store"),
        ({"a": [{"b": ["\x00"]}]}, "cannot store"),
        ({"a": 2**64}, "64 bits"),
        ({"a": -(2**63) - 1}, "64 bits"),
        ({"a": [1e300]}, "64 bits"),
        ({"a": -9.49e307}, "64 bits"),
        ({"é": 1, "e\u0301": 2}, "twice"),
        ({"a": [{"é": 1, "e\u0301": 2}]}, "twice"),
        ({"a": "x" * limits.MAX_METADATA_BYTES}, "larger than 16,384 bytes"),
        (nested(limits.MAX_METADATA_DEPTH + 1), "deeper than 32 levels"),
    ],
)
def test_metadata_that_cannot_be_kept_is_refused_in_words(
    metadata: list[Any] | dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        limits.check_metadata(metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"a": "\\u0000, written with a backslash"},
        {"a": 2**64 - 1, "b": -(2**63), "c": 1.5, "f": -1e18, "d": None, "e": True},
        nested(limits.MAX_METADATA_DEPTH),
        {"a": "é" * 8_000},
    ],
)
def test_metadata_up_to_the_bounds_is_kept(metadata: dict[str, Any]) -> None:
    limits.check_metadata(metadata)


@pytest.mark.parametrize("title", ["", " ", "\u2003", "a\nb", "a\x00", "\x7f", "\ud800", "a" * 301])
def test_a_title_is_one_visible_line(title: str) -> None:
    with pytest.raises(ValidationError):
        limits.check_title(title)


@pytest.mark.parametrize(
    "slug", ["", "-", "a-", "-a", "a--b", "A", "a b", "a_b", "a/b", "a" * 201, "É", "export", "a\x00"]
)
def test_a_slug_is_lower_case_words_joined_by_hyphens(slug: str) -> None:
    with pytest.raises(ValidationError):
        limits.check_slug(slug)
