"""Front matter in YAML, TOML and JSON, and text that only looks like it."""

import contextlib
import time
from typing import Any

import pytest

from articles.importing.front_matter import split
from articles.importing.yaml_values import FrontMatterError


def of_yaml(front: str) -> dict[str, Any]:
    return split(f"---\n{front}\n---\ntext\n")[0]


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: Hello\ntags: [a, b]\ndraft: false\nweight: 5\n---\n\nText\n",
        "---\ntitle: Hello\ntags:\n- a\n- b\ndraft: false\nweight: 5\n...\nText\n",
        '+++\ntitle = "Hello"\ntags = ["a", "b"]\ndraft = false\nweight = 5\n+++\nText\n',
        '{\n  "title": "Hello",\n  "tags": ["a", "b"], "draft": false, "weight": 5\n}\n\nText\n',
    ],
)
def test_yaml_toml_and_json_say_the_same(text: str) -> None:
    assert split(text) == ({"title": "Hello", "tags": ["a", "b"], "draft": False, "weight": 5}, "Text\n")


@pytest.mark.parametrize("written", ["1984", "Yes", "2024-05-06", "1.10", "true", "007"])
def test_a_title_is_the_text_as_it_is_written(written: str) -> None:
    assert of_yaml(f"title: {written}")["title"] == written


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("off", "off"), ("y", "y"), ("NO", "NO"), ("true", True), ("False", False),
        ("null", None), ("~", None), ("", None), ("nothing", "nothing"),
        ("12", 12), ("-3", -3), ("1.5", 1.5), ("1.0", 1.0), ("0", 0),
        ("007", "007"), ("1.10", "1.10"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("1e3", "1e3"), ("+5", "+5"),
        (".5", ".5"), ("5.", "5."), ("-0", "-0"), (".inf", ".inf"), ("99999999999999999999", "99999999999999999999"),
        ("0.1234567890123456789", "0.1234567890123456789"),
        ("12:30", "12:30"), ("12:30:45", "12:30:45"), ("190:20:30", "190:20:30"),
        ("2024-05-06", "2024-05-06"), ("2024-05-06 10:00:00 +2", "2024-05-06 10:00:00 +2"),
        ("'12'", "12"), ('"true"', "true"), ("!!str x", "x"), ("=", "="), ("<<", "<<"), ("[]", []), ("{}", {}),
        ("&anchor text", "text"),
    ],
)  # fmt: skip
def test_values_keep_the_form_that_yaml_1_2_gives_them(written: str, value: Any) -> None:
    found = of_yaml(f"a: {written}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_values_of_toml_keep_their_form() -> None:
    front = "a = 1.10\nb = 1979-05-27T07:32:00Z\nc = 07:32:00\nd = 1979-05-27\ne = inf\nf = 99999999999999999999\n"
    assert split(f"+++\n{front}[g]\nh.i = 1\n+++\n")[0] == {
        "a": "1.10", "b": "1979-05-27T07:32:00+00:00", "c": "07:32:00", "d": "1979-05-27", "e": "inf",
        "f": "99999999999999999999", "g": {"h": {"i": 1}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("---\na: [\n---\n", "not valid YAML"),
        ("---\nword:x\n---\n", "not a list of names and values"),
        ("---\na: 1\nb: 2\na: 3\n---\n", r"names 'a' twice \(line 4\)"),
        ("---\na: {b: 1, b: 2}\n---\n", r"names 'b' twice \(line 2\)"),
        ("---\n{[a]: 1}\n---\n", r"has a name that is not a text \(line 2\)"),
        ("---\na: &x 1\nb: *x\n---\n", "uses a YAML alias"),
        ("---\na: !!python/object/apply:os.system [ls]\n---\n", r"the tag .* is unknown \(line 2\)"),
        ("---\na: !!binary aGk=\n---\n", "the tag .* is unknown"),
        ("---\na: " + "[" * 60_000 + "\n---\n", "nested more than 20 levels deep"),
        ("---\na: " + "x" * 70_000 + "\n---\n", "longer than 65,536 characters"),
        ("---\na: \x07\n---\n", "not valid YAML"),
        ("+++\na = \n+++\n", "not valid TOML: .*line 1"),
        ("+++\na = 1\na = 2\n+++\n", "not valid TOML: Cannot overwrite"),
        ("+++\na = 'x" + "x" * 17_000 + "'\n+++\n", "longer than 16,384 characters"),
        ("+++\na = " + "[" * 15_000 + "\n+++\n", "nested more than 20 levels deep"),
        ("+++\n" + ".".join("a" * 30) + " = 1\n+++\n", "nested more than 20 levels deep"),
        ('{"a": }\n', r"not valid JSON: Expecting value \(line 1\)"),
        ('{"a": 1, "a": 2}\n', "names 'a' twice"),
        ('{"a": NaN}\n', "NaN is not a JSON number"),
        ('{"a": 1} text\n', "must be followed by the end of the line"),
        ('{"a": ' + "[" * 60_000 + "\n", "nested more than 20 levels deep"),
        ('{"a": "' + "x" * 70_000 + '"}\n', "longer than 65,536 characters"),
    ],
)
def test_front_matter_that_cannot_be_used_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(FrontMatterError, match=reason):
        split(text)


@pytest.mark.parametrize(
    "text",
    [
        "Text\n---\na: b\n---\n",
        "---\nText after a rule.\n---\nMore\n",
        "---\n\n# A heading: with a colon\n\ntext\n---\n",
        "---\n- a: list\n---\n",
        "---\n> quoted: text\n---\n",
        "---\nhttps://example.org\n---\n",
        "---\n" + "- " * 5_000 + "\n---\n",
        "---\nno: end\n",
        "+++\nno = 'end'\n",
        "{% include header.html %}\ntext\n",
        "{{< shortcode >}}\n",
        "{}\n",
    ],
)
def test_text_that_only_looks_like_front_matter_stays_text(text: str) -> None:
    assert split(text) == ({}, text)


def test_front_matter_may_be_empty_or_a_remark() -> None:
    assert split("---\n---\ntext") == ({}, "text")
    assert split("---\n# only a remark\n\n---\ntext") == ({}, "text")


@pytest.mark.parametrize(
    "text",
    [
        "---\n" * 20_000,
        "+++\n" + "a." * 8_000 + "a = 1\n+++\n",
        "---\n" + "\n" * 60_000 + "a: 1\n---\n",
        "{" + " " * 60_000,
        "---\n" + "a b " * 15_000 + "\n---\n",
    ],
)
def test_hostile_front_matter_takes_no_time(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(FrontMatterError):
        split(text)
    assert time.process_time() - began < 2
