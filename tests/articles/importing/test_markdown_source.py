"""A folder of Markdown as a source."""

from pathlib import Path

import pytest

from articles.importing.entries import MAX_ENTRY_BYTES, Entry, RefusedEntry, Row, SourceUnreadable
from articles.importing.markdown_source import heading, open_markdown


def make_folder(root: Path, **texts: str | bytes) -> Path:
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
    assert only_row(make_folder(tmp_path, one=text)) == {
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
    assert only_row(make_folder(tmp_path, **{"getting-started": text}))["title"] == title


def test_folders_below_are_read_in_order_and_hidden_ones_left_out(tmp_path: Path) -> None:
    root = make_folder(tmp_path, b="b", a__z="az", **{".git__c": "hidden"})
    (root / "picture.png").write_bytes(b"\x89PNG")
    assert [entry.place for entry in entries(root)] == ["a/z.md", "b.md"]


def test_a_file_that_is_not_utf8_or_too_large_is_refused_and_the_rest_read(tmp_path: Path) -> None:
    root = make_folder(tmp_path, a=b"caf\xe9", b=b"x" * (MAX_ENTRY_BYTES + 1), c="# Fine")
    first, second, third = entries(root)
    assert isinstance(first, RefusedEntry)
    assert str(first).startswith("a.md: is not valid UTF-8")
    assert isinstance(second, RefusedEntry)
    assert "the file is longer" in second.reason
    assert isinstance(third, Row)


def test_a_path_that_is_not_a_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="there is no such folder"):
        open_markdown(str(tmp_path / "nowhere"))
    with pytest.raises(SourceUnreadable, match="is a file; give the folder"):
        open_markdown(str(make_folder(tmp_path, one="x") / "one.md"))


@pytest.mark.parametrize(
    ("front", "slug", "kept"),
    [
        ("slug: hello-you", "hello-you", {}),
        ("slug: hugo_build", "hugo-build", {"slug": "hugo_build"}),
        ("slug: /Guides/Getting Started/", "guides-getting-started", {"slug": "/Guides/Getting Started/"}),
        ("slug: /", None, {"slug": "/"}),
        ("slug:", None, {}),
        ("slug: 2024", "2024", {}),
        ("permalink: /docs/intro.html", "docs-intro", {"permalink": "/docs/intro.html"}),
        ("permalink: /:year/:title/", None, {"permalink": "/:year/:title/"}),
        ("url: /a/b/index.html", "a-b", {"url": "/a/b/index.html"}),
        ("url: https://example.org/a", None, {"url": "https://example.org/a"}),
        ("slug: mine\npermalink: /theirs/", "mine", {"permalink": "/theirs/"}),
        ("aliases: [/old/, Other name]", None, {"aliases": ["/old/", "Other name"]}),
        ("slug: EXPORT", "export-article", {"slug": "EXPORT"}),
    ],
)
def test_an_author_s_address_becomes_a_slug(
    tmp_path: Path, front: str, slug: str | None, kept: dict[str, object]
) -> None:
    fields = only_row(make_folder(tmp_path, one=f"---\n{front}\n---\ntext\n"))
    assert (fields.get("slug"), fields["metadata"]) == (slug, kept)


def test_a_title_is_one_line_and_a_heading_that_is_too_long_is_cut(tmp_path: Path) -> None:
    root = make_folder(tmp_path, a="---\ntitle: |\n  One\n  two\n---\n", b="# A\ttab " + "x" * 400)
    titles = [entry.fields["title"] for entry in entries(root) if isinstance(entry, Row)]
    assert titles[0] == "One two"
    assert isinstance(titles[1], str)
    assert titles[1].startswith("A tab xxx")
    assert (len(titles[1]), titles[1][-1]) == (300, "…")


def test_front_matter_that_cannot_be_read_refuses_its_file_alone(tmp_path: Path) -> None:
    refused, taken = entries(make_folder(tmp_path, a="---\na: [\n---\n", b="---\nslug: A_b\n---\n"))
    assert isinstance(refused, RefusedEntry)
    assert isinstance(taken, Row)


def test_a_file_with_the_line_ends_of_an_old_mac_is_read(tmp_path: Path) -> None:
    assert only_row(make_folder(tmp_path, one="---\rtitle: Old\r---\rLine\rline\r")) == {
        "title": "Old",
        "content": "Line\nline\n",
        "metadata": {},
    }


def test_a_tilde_fence_is_not_closed_by_backticks() -> None:
    assert heading("~~~\n```\n# no\n~~~\n# yes") == "yes"


def test_utf16_is_read_and_another_encoding_where_it_is_named(tmp_path: Path) -> None:
    root = make_folder(tmp_path, a="# Größe".encode("utf-16"))
    assert only_row(root)["title"] == "Größe"
    (root / "a.md").write_bytes("# Größe".encode("windows-1252"))
    (row,) = open_markdown(str(root), encoding="windows-1252").entries
    assert isinstance(row, Row)
    assert row.fields["title"] == "Größe"
