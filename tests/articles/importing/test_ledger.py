"""Slugs that depend on the imported file alone."""

from articles.importing.drafts import Draft
from articles.importing.entries import RefusedEntry
from articles.importing.ledger import SlugLedger


def make_draft(title: str, slug: str = "", place: str = "line 1") -> Draft:
    return Draft(place, slug, title, "", "{}")


def slugs_of(*drafts: Draft) -> list[str]:
    with SlugLedger() as ledger:
        entered = [ledger.enter(draft) for draft in drafts]
    return [draft.slug if isinstance(draft, Draft) else str(draft) for draft in entered]


def test_a_missing_slug_is_made_from_the_title_in_any_script() -> None:
    titles = ("Hello, World!", "Привет мир", "東京 2024", "!?")
    assert slugs_of(*map(make_draft, titles)) == [
        "hello-world", "привет-мир", "東京-2024", "article",
    ]  # fmt: skip


def test_equal_titles_are_numbered_in_the_order_of_the_file() -> None:
    assert slugs_of(*[make_draft("Same")] * 12)[::5] == ["same", "same-6", "same-11"]


def test_a_number_that_is_taken_is_passed_over() -> None:
    assert slugs_of(make_draft("Same", "same-2"), *[make_draft("Same")] * 3) == [
        "same-2",
        "same",
        "same-3",
        "same-4",
    ]


def test_a_slug_given_twice_is_refused_with_the_first_place() -> None:
    _, second = slugs_of(make_draft("A", "x", "a.csv line 2"), make_draft("B", "x", "a.csv line 9"))
    assert second == "a.csv line 9: slug 'x' was already used by a.csv line 2"


def test_ten_thousand_equal_titles_cost_no_search() -> None:
    with SlugLedger() as ledger:
        entered = [ledger.enter(make_draft("Same")) for _ in range(10_000)]
    assert not any(isinstance(draft, RefusedEntry) for draft in entered)
    assert len({draft.slug for draft in entered if isinstance(draft, Draft)}) == 10_000
