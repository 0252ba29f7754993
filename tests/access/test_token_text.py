"""The text of a token, and what is kept of it."""

import hashlib

import pytest

from access.token_text import PREFIX_LENGTH, SHORTEST_OWN_TEXT, digest, fingerprint, make


def test_each_token_is_another_and_fits_its_own_form() -> None:
    texts = {make() for _ in range(50)}
    assert len(texts) == 50
    for text in texts:
        mark = fingerprint(text)
        assert mark
        assert text[3:11] == mark.prefix
        assert mark.secret_hash == hashlib.sha256(text[12:].encode()).hexdigest()


def test_nothing_of_the_secret_is_in_what_is_kept() -> None:
    text = make()
    assert text[12:] not in str(fingerprint(text))


FORM = "vp_0123abcd_" + "a" * 43


@pytest.mark.parametrize(
    "text",
    [
        FORM.upper(),
        FORM + "a",
        FORM[:-1] + "é",
        FORM + "\n",
        " " + FORM,
        "vp_0123abcg_" + "a" * 43,
        "vp_0123abcd_" + "a" * 42,
        "x" * SHORTEST_OWN_TEXT,
        "\ud800" * 40,
        "\x00" * 40,
    ],
)
def test_a_text_of_ones_own_is_found_by_its_hash(text: str) -> None:
    mark = fingerprint(text)
    assert mark
    assert mark == (mark.secret_hash[:PREFIX_LENGTH], digest(text).hex())


@pytest.mark.parametrize("text", ["", "x", "x" * (SHORTEST_OWN_TEXT - 1), "vp_0123abcd_"])
def test_a_short_text_is_not_a_token(text: str) -> None:
    assert fingerprint(text) is None


def test_tokens_that_differ_in_prefix_or_secret_are_distinguished() -> None:
    other_prefix, other_secret = FORM.replace("0123", "3210"), FORM[:-1] + "b"
    marks = {fingerprint(text) for text in (FORM, other_prefix, other_secret)}
    assert len(marks) == 3
