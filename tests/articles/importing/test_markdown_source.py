"""A folder of Markdown as a source."""

from pathlib import Path

import pytest

from articles.importing.entries import MAX_ENTRY_BYTES, Entry, RefusedEntry, Row, SourceUnreadable
from articles.importing.markdown_source import FrontMatterError, heading, open_markdown, parse


def a_folder(root: Path, **texts: str | bytes) -> Path:
    for name, text in texts.items():
        path = root / (name.replace("__", "/") + ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return root


def entries(root: Path) -> list[Entry]:
    return list(open_markdown(str(root)).entries)


def only_row(root: Path) -> dict[str, object]:
    (entry,) = entries(root)
    assert isinstance(entry, Row), entry
    return entry.fields


def test_front_matter_gives_title_slug_and_metadata(tmp_path: Path) -> None:
    text = "---\ntitle: Hello\nslug: hello-you\ntags: [a, b]\ndate: 2024-05-06\n---\n\n# Other\n\nText\n"
    assert only_row(a_folder(tmp_path, one=text)) == {
        "title": "Hello",
        "slug": "hello-you",
        "content": "# Other\n\nText\n",
        "metadata": {"tags": ["a", "b"], "date": "2024-05-06"},
    }


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Intro\n\n# The heading #\n", "The heading"),
        ("```\n# a comment\n```\n\n# The heading\n", "The heading"),
        ("## Only a smaller one\n", "Getting started"),
        ("", "Getting started"),
        ("---\ntitle:\n---\n# The heading\n", "The heading"),
        ("---\n---\ntext", "Getting started"),
    ],
)
def test_the_title_falls_back_to_the_heading_then_to_the_file_name(
    tmp_path: Path, text: str, title: str
) -> None:
    assert only_row(a_folder(tmp_path, **{"getting-started": text}))["title"] == title


@pytest.mark.parametrize(
    ("written", "title"), [("1984", "1984"), ("Yes", "Yes"), ("2024-05-06", "2024-05-06")]
)
def test_a_title_is_the_text_as_it_is_written(written: str, title: str) -> None:
    assert parse(f"---\ntitle: {written}\n---\n")[0]["title"] == title


def test_folders_below_are_read_in_order_and_hidden_ones_left_out(tmp_path: Path) -> None:
    root = a_folder(tmp_path, b="b", a__z="az", **{".git__c": "hidden"})
    (root / "picture.png").write_bytes(b"\x89PNG")
    assert [entry.place for entry in entries(root)] == ["a/z.md", "b.md"]


@pytest.mark.parametrize(
    ("front", "reason"),
    [
        ("a: [", "not valid YAML"),
        ("just words", "not a list of names and values"),
        ("a: &x 1\nb: *x", "uses a YAML alias"),
        ("a: !!python/object/apply:os.system [ls]", "not valid YAML: could not determine a constructor"),
        ("a: " + "[" * 60_000, "nested more than 20 levels deep"),
        ("- " * 5_000, "nested more than 20 levels deep"),
        ("a: " + "x" * 70_000, "longer than 65,536 characters"),
        ("a: \x07", "not valid YAML"),
    ],
)
def test_front_matter_that_cannot_be_used_is_refused_with_a_reason(front: str, reason: str) -> None:
    with pytest.raises(FrontMatterError, match=reason):
        parse(f"---\n{front}\n---\ntext\n")


def test_a_file_that_is_not_utf8_or_too_large_is_refused_and_the_rest_read(tmp_path: Path) -> None:
    root = a_folder(tmp_path, a=b"caf\xe9", b=b"x" * (MAX_ENTRY_BYTES + 1), c="# Fine")
    first, second, third = entries(root)
    assert isinstance(first, RefusedEntry)
    assert str(first).startswith("a.md: is not valid UTF-8")
    assert isinstance(second, RefusedEntry)
    assert "the file is longer" in second.reason
    assert isinstance(third, Row)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="there is no such folder"):
        open_markdown(str(tmp_path / "nowhere"))
    with pytest.raises(SourceUnreadable, match="is a file; give the folder"):
        open_markdown(str(a_folder(tmp_path, one="x") / "one.md"))


def test_text_between_rules_without_front_matter_stays_text() -> None:
    assert parse("Text\n---\na: b\n---\n") == ({}, "Text\n---\na: b\n---\n")


def test_a_tilde_fence_is_not_closed_by_backticks() -> None:
    assert heading("~~~\n```\n# no\n~~~\n# yes") == "yes"
