"""A row is a draft or a refusal that says where and why."""

import json
from typing import Any

import pytest

from articles import limits
from articles.importing.drafts import Draft, draft_from
from articles.importing.entries import RefusedEntry, Row


def draft(**fields: Any) -> Draft:
    made = draft_from(Row("here", fields, position=7))
    assert isinstance(made, Draft), made
    return made


def test_a_title_alone_is_a_draft_and_the_rest_is_empty() -> None:
    assert draft(title="T") == Draft("here", "", "T", "", "{}")
    assert draft(title="T", content=None, slug=None, metadata=None) == draft(title="T", slug="", content="")


def test_metadata_is_json_in_its_own_script() -> None:
    made = draft(title="T", metadata={"ä": ["日本", 1, None, True]})
    assert json.loads(made.metadata) == {"ä": ["日本", 1, None, True]}
    assert "日本" in made.metadata


def test_the_size_counts_every_character_that_is_held() -> None:
    assert draft(title="four", content="12345", metadata={}).size == 4 + 5 + len("{}")


def test_fields_that_no_article_has_are_left_out() -> None:
    assert draft(title="T", author="me") == draft(title="T")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "title"),
        ({"title": None}, "title"),
        ({"title": ""}, "title"),
        ({"title": 1}, "int"),
        ({"title": b"bytes"}, "bytes"),
        ({"title": "x" * (limits.MAX_TITLE + 1)}, "title"),
        ({"title": "T", "content": ["a"]}, "list"),
        ({"title": "T", "content": "\x00"}, "content"),
        ({"title": "T", "slug": 0}, "int"),
        ({"title": "T", "slug": "Not a slug"}, "slug"),
        ({"title": "T", "metadata": []}, "list"),
        ({"title": "T", "metadata": ""}, "str"),
        ({"title": "T", "metadata": {"a": float("nan")}}, "metadata"),
    ],
)
def test_a_refusal_keeps_place_and_position_and_names_what_is_wrong(
    fields: dict[str, Any], word: str
) -> None:
    refused = draft_from(Row("line 3", fields, position=99))
    assert isinstance(refused, RefusedEntry)
    assert (refused.place, refused.position) == ("line 3", 99)
    assert word in refused.reason


def test_a_draft_is_in_the_composed_form() -> None:
    made = draft(title="Cafe\u0301", slug="cafe\u0301", content="e\u0301", metadata={"o\u0308": "u\u0308"})
    assert (made.title, made.slug, made.content, made.metadata) == ("Café", "café", "é", '{"ö": "ü"}')
