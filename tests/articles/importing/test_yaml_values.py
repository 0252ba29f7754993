"""The values of front matter by YAML 1.2; what is no mapping, too deep or doubled is refused with its line; pure."""

from typing import Any

import pytest

from articles.importing.yaml_values import MAX_DEPTH, FrontMatterError, as_it_is_written, mapping_of


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("off", "off"),
        ("yes", "yes"),
        ("y", "y"),
        ("7", 7),
        ("-7", -7),
        ("0", 0),
        ("007", "007"),
        ("1.5", 1.5),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("-0", "-0"),
        ("12:30", "12:30"),
        ("2026-01-31", "2026-01-31"),
        ("0x1f", "0x1f"),
        ("'7'", "7"),
        ('"true"', "true"),
        ("!!int 7", 7),
        ("!!str 7", "7"),
        ("[1, two, null]", [1, "two", None]),
        ("{a: {b: [true]}}", {"a": {"b": [True]}}),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        (">\n  one\n  line\n", "one line\n"),
    ],
)
def test_a_value_is_what_yaml_1_2_says(written: str, value: Any) -> None:
    assert mapping_of(f"key: {written}") == {"key": value}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("title: 1.0", {"title": "1.0"}),
        ("title: true", {"title": "true"}),
        ("slug: 007", {"slug": "007"}),
        ("slug: 2026", {"slug": "2026"}),
        ("title: ~", {"title": None}),
        ("title: [1]", {"title": [1]}),
        ("meta: {title: 1}", {"meta": {"title": 1}}),
        ("1: one", {"1": "one"}),
        ("", {}),
        ("# only a remark", {}),
    ],
)
def test_title_and_slug_are_texts_as_they_are_written(text: str, found: dict[str, Any]) -> None:
    assert mapping_of(text) == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a\n- b", "front matter is not a list of names and values"),
        ("only words", "front matter is not a list of names and values"),
        ("a: 1\nb: 2\na: 3", r"front matter names 'a' twice \(line 4\)"),
        ("m: {b: 1, b: 2}", r"front matter names 'b' twice \(line 2\)"),
        ("? [a]\n: 1", r"front matter has a name that is not a text \(line 2\)"),
        ("a: !thing 1", r"the tag '!thing' is unknown \(line 2\)"),
        ("a: !!python/object:os.system x", r"the tag 'tag:yaml.org,2002:python/object:os.system' is unknown"),
        ("a: &x 1\nb: *x", r"front matter uses a YAML alias \(\*name\)"),
        ("a: [1", "front matter is not valid YAML: .+"),
        ("a: 'b", "front matter is not valid YAML: .+"),
        ("a: b: c", "front matter is not valid YAML: .+"),
        ("a: \x07", "front matter is not valid YAML: .+"),
    ],
)
def test_invalid_front_matter_is_refused_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(FrontMatterError, match=sentence) as refused:
        mapping_of(text)
    assert "\n" not in str(refused.value)


def test_nesting_has_a_limit() -> None:
    assert mapping_of("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))
    with pytest.raises(FrontMatterError, match=f"nested more than {MAX_DEPTH} levels deep"):
        mapping_of("a: " + "[" * 50_000)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("1" * 19, int("1" * 19)),
        ("1" * 20, "1" * 20),
        ("123456789012345.5", 123456789012345.5),
        ("0.1000000000000001", 0.1000000000000001),
        ("1234567890.123456789", "1234567890.123456789"),
        ("0.00001", "0.00001"),
        ("five", "five"),
        ("", ""),
    ],
)
def test_a_number_that_would_lose_a_digit_is_a_text(number: str, value: Any) -> None:
    assert as_it_is_written(number) == value
