"""What requests of the article API may hold; test_bad_input.py has the answers to what they may not."""

import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from articles import limits
from articles.api.schemas import (
    MAX_LIMIT,
    MAX_OFFSET,
    ONE_LINE,
    VISIBLE,
    WITHOUT_NUL,
    ArticlePatch,
    NewArticle,
    Page,
    WholeArticle,
    WholeNumber,
)


def wrong_fields(model: type[BaseModel], given: Any) -> set[str]:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(given)
    return {str(error["loc"][0]) for error in refused.value.errors()}


def test_what_is_left_out_is_empty_and_known_to_be_left_out() -> None:
    new = NewArticle.model_validate({"title": "T"})
    assert (new.content, new.metadata, new.slug) == ("", {}, "")
    assert new.model_fields_set == {"title"}
    patch = ArticlePatch.model_validate({"content": ""})
    assert patch.model_dump(exclude_unset=True) == {"content": ""}


def test_two_requests_share_no_metadata_object() -> None:
    one, other = (NewArticle.model_validate({"title": "T"}) for _ in range(2))
    one.metadata["a"] = 1
    assert other.metadata == {}


@pytest.mark.parametrize("model", [NewArticle, WholeArticle, ArticlePatch])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "a\nb"),
        ("title", 1),
        ("title", None),
        ("title", "x" * (limits.MAX_TITLE + 1)),
        ("content", None),
        ("content", "\x00"),
        ("content", b"bytes"),
        ("metadata", []),
        ("metadata", None),
        ("metadata", {"a": 2**64}),
        ("author", "me"),
    ],
)
def test_a_field_that_cannot_be_is_named(
    model: type[NewArticle | WholeArticle | ArticlePatch], field: str, value: Any
) -> None:
    assert wrong_fields(model, {"title": "T"} | {field: value}) == {field}


@pytest.mark.parametrize(
    ("model", "is_needed"), [(NewArticle, True), (WholeArticle, True), (ArticlePatch, False)]
)
def test_only_a_patch_may_lack_a_title(
    model: type[NewArticle | WholeArticle | ArticlePatch], is_needed: bool
) -> None:
    if is_needed:
        assert wrong_fields(model, {}) == {"title"}
    else:
        assert model.model_validate({}).model_fields_set == set()


@pytest.mark.parametrize("slug", ["", "A", "a b", "a--b", "export", None, 1])
def test_a_slug_that_is_given_is_a_slug(slug: str | int | None) -> None:
    assert wrong_fields(NewArticle, {"title": "T", "slug": slug}) == {"slug"}


@pytest.mark.parametrize("page", [{"limit": 1, "offset": 0}, {"limit": MAX_LIMIT, "offset": MAX_OFFSET}, {}])
def test_a_page_within_its_bounds(page: dict[str, int]) -> None:
    found = Page.model_validate(page)
    assert (found.limit, found.offset) == (page.get("limit", 20), page.get("offset", 0))


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": MAX_LIMIT + 1}, "limit"),
        ({"offset": -1}, "offset"),
        ({"offset": MAX_OFFSET + 1}, "offset"),
        ({"page": 1}, "page"),
    ],
)
def test_a_page_out_of_its_bounds(page: dict[str, int], field: str) -> None:
    assert wrong_fields(Page, page) == {field}


class _Counted(BaseModel):
    model_config = {"strict": True}

    number: WholeNumber


@pytest.mark.parametrize(("given", "number"), [(5, 5), (5.0, 5), (-0.0, 0), (1e15, 10**15)])
def test_a_whole_number_may_be_written_with_a_fraction_of_zero(given: float, number: int) -> None:
    found = _Counted.model_validate({"number": given}).number
    assert (found, type(found)) == (number, int)


@pytest.mark.parametrize("given", [5.5, "5", True, None, float("inf"), float("nan")])
def test_another_value_is_not_a_whole_number(given: float | str | bool | None) -> None:
    assert wrong_fields(_Counted, {"number": given}) == {"number"}


def holds(check: Any, text: str) -> bool:
    try:
        check(text)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(
    "text", ["", " ", "a", " a ", "a\nb", "\x00", "a\x00", "\x7f", "\u2003", "ä", "\x1c", "\t"]
)
def test_what_the_checks_take_is_what_the_description_says(text: str) -> None:
    assert bool(re.search(WITHOUT_NUL, text)) is holds(limits.check_content, text)
    if text.strip() == text:
        assert bool(re.search(ONE_LINE, text)) is holds(limits.check_title, text)
    assert not re.search(VISIBLE, "\x00a")
