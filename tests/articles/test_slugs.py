"""Titles of any script become slugs that are allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles import limits
from articles.slugs import candidates, slug_from


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Read a ZIP file!", "read-a-zip-file"),
        ("Don’t panic", "dont-panic"),
        ("snake_case", "snake-case"),
        ("हिन्दी में लेख", "हिन्दी-में-लेख"),
        ("日本語のタイトル", "日本語のタイトル"),
        ("Ｗｉｄｅ 𝐁old Ⅷ", "wide-bold-viii"),
        ("Turkish İstanbul", "turkish-istanbul"),
        ("Cafe\u0301", "café"),
        ("🙂", "article"),
        ("Export", "export-article"),
        ("x" * 300, "x" * 188),
    ],
)
def test_a_title_becomes_a_slug_in_its_own_script(title: str, slug: str) -> None:
    assert slug_from(title) == slug


@given(st.text(max_size=300))
def test_every_title_gives_a_slug_that_is_allowed(title: str) -> None:
    for slug in candidates(title):
        limits.check_slug(slug)


@pytest.mark.parametrize(
    "title", ["", " ", "---", "!?", "\x00", "\ud800", "\u0301" * 300, "a" * 1_000_000, "ﷺ" * 300]
)
def test_whatever_a_title_is_its_slug_has_room_for_a_suffix(title: str) -> None:
    slug = slug_from(title)
    limits.check_slug(slug)
    assert len(slug) <= limits.MAX_SLUG - len("-12345678")


def test_candidates_are_the_base_then_numbers_then_one_that_nobody_guesses() -> None:
    base, *numbered, random = candidates("A title")
    assert base == "a-title"
    assert numbered == [f"a-title-{n}" for n in range(2, 10)]
    assert random != candidates("A title")[-1]
    assert random.startswith("a-title-")
