"""The same letters are the same characters."""

import time
import unicodedata

import pytest

from lib.nfc import equal_key, nfc, nfc_json

COMPOSED = "é が 한국어 Å İstanbul"


@pytest.mark.parametrize(
    "text", ["", "plain", COMPOSED, "日本語" * 500, "e" * 512 + "\u0301", "か\u3099" * 900]
)
def test_a_text_comes_out_composed_whatever_form_it_had(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    assert nfc(unicodedata.normalize("NFD", text)) == composed
    assert nfc(composed) == composed


@pytest.mark.parametrize("run", ["\u0300\u0316", "\u05b0\u05c1", "\u0f71\u0f72", "\u1100", "\u3099\u0301"])
def test_a_million_marks_on_one_letter_are_composed_in_linear_time(run: str) -> None:
    started = time.process_time()
    nfc("a" + run * (1_000_000 // len(run)))
    assert time.process_time() - started < 10


def test_a_json_value_comes_out_composed_in_keys_and_texts() -> None:
    value = {"e\u0301": ["e\u0301", 1, None, {"a": "e\u0301"}]}
    assert nfc_json(value) == {"é": ["é", 1, None, {"a": "é"}]}


def test_two_keys_that_become_one_are_found() -> None:
    assert equal_key(iter(["é", "e", "e\u0301"])) == "é"
    assert equal_key(iter(["é", "e"])) is None
