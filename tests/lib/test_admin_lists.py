"""Columns whose texts other people wrote show what these hide."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.admin import AdminSite

from articles.models import Article, ArticleVersion
from embeddings.models import Space
from lib.admin_lists import ForeignTextAdmin


class Shown(ForeignTextAdmin):
    list_display: tuple[str, ...] = ("title", "metadata", "version_number", "own", "__str__")

    def own(self, row: Any) -> str:
        return "own"


def columns(model: Any, *names: str) -> list[Any]:
    page = Shown(model, AdminSite())
    page.list_display = names or Shown.list_display
    return page.get_list_display(SimpleNamespace())  # type: ignore[arg-type]


def test_texts_are_replaced_and_all_else_stays() -> None:
    title, metadata, *others = columns(Article)
    assert others == ["version_number", "own", "__str__"]
    assert (title.short_description, metadata.short_description) == ("title", "metadata")


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x1b", "\x00", "\u2066"])
def test_hidden_characters_of_a_text_are_escaped(hidden: str) -> None:
    (title, metadata) = columns(Article, "title", "metadata")
    row = Article(title=f"a{hidden}b", metadata={f"k{hidden}": "ä"})
    for column in (title, metadata):
        assert hidden not in column(row)
    assert "ä" in metadata(row)


@pytest.mark.parametrize("value", [None, "", {}])
def test_an_empty_value_is_an_empty_cell(value: Any) -> None:
    (title,) = columns(Article, "title")
    assert title(Article(title=value)) == ""


def test_a_column_of_a_related_model_or_with_choices_is_left_to_the_admin() -> None:
    assert columns(ArticleVersion, "article") == ["article"]
    assert columns(Space, "unknown_column") == ["unknown_column"]
