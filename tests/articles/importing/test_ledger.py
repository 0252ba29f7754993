"""Slugs that depend on what an imported file holds, not on its order."""

import re

import pytest

from articles.importing.drafts import Draft, draft_from
from articles.importing.entries import RefusedEntry, Row
from articles.importing.ledger import SlugLedger


def make_draft(title: str, slug: str = "", place: str = "line 1") -> Draft:
    return Draft(place, slug, title, "", "{}")


def a_row(title: str, number: int) -> Row:
    return Row(f"line {number}", {"title": title, "content": f"Text {number}"})


def slugs_in(*rows: Row) -> list[str]:
    """Of a source with these entries."""
    with SlugLedger(lambda: iter(rows)) as ledger:
        entered = [ledger.enter(draft) for row in rows if isinstance(draft := draft_from(row), Draft)]
    return [draft.slug if isinstance(draft, Draft) else str(draft) for draft in entered]


def slugs_of(*drafts: Draft) -> list[str]:
    with SlugLedger() as ledger:
        entered = [ledger.enter(draft) for draft in drafts]
    return [draft.slug if isinstance(draft, Draft) else str(draft) for draft in entered]


def test_a_missing_slug_is_made_from_the_title_in_any_script() -> None:
    titles = ("Hello, World!", "Привет мир", "東京 2024", "!?")
    assert slugs_of(*map(make_draft, titles)) == [
        "hello-world", "привет-мир", "東京-2024", "article",
    ]  # fmt: skip


def test_entries_of_one_title_are_distinguished_by_their_text_in_whatever_order() -> None:
    one, two, three = (a_row("Same", number) for number in range(3))
    slugs = slugs_in(one, two, three)
    assert len({*slugs}) == 3
    assert all(re.fullmatch("same-[0-9a-f]{12}", slug) for slug in slugs)
    assert slugs_in(three, one) == [slugs[2], slugs[0]]
    assert slugs_in(one) == ["same"]


def test_entries_that_are_the_same_in_every_field_are_numbered() -> None:
    first, second, third = slugs_in(*[a_row("Same", 0)] * 3)
    assert (second, third) == (f"{first}-2", f"{first}-3")


@pytest.mark.parametrize("other", [{"slug": "same"}, {"title": "Same", "path": "7"}])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_slug_that_another_entry_has_is_not_the_title_s(other: dict[str, str], is_first: bool) -> None:
    row = a_row("Same", 0)
    path = other.get("path", "")
    named = Row("line 9", {"title": "Other", "content": "9", **other}, path=path, source="s" if path else "")
    entered = slugs_in(*((named, row) if is_first else (row, named)))
    assert entered[1 if is_first else 0].startswith("same-")


def test_of_a_source_that_is_read_once_the_first_of_equal_titles_has_the_title_s_slug() -> None:
    first, second = slugs_of(make_draft("Same"), make_draft("Same"))
    assert first == "same"
    assert second.startswith("same-")


def test_a_slug_given_twice_is_refused_with_the_first_place() -> None:
    _, second = slugs_of(make_draft("A", "x", "a.csv line 2"), make_draft("B", "x", "a.csv line 9"))
    assert second == "a.csv line 9: slug 'x' was already used by a.csv line 2"


def test_ten_thousand_equal_titles_cost_no_search() -> None:
    with SlugLedger() as ledger:
        entered = [ledger.enter(make_draft("Same")) for _ in range(10_000)]
    assert not any(isinstance(draft, RefusedEntry) for draft in entered)
    assert len({draft.slug for draft in entered if isinstance(draft, Draft)}) == 10_000
