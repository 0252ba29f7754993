"""Docstrings as articles in Markdown."""

import pytest

from articles.importing.entries import Row
from articles.importing.pydoc_reader import ClassDoc, FunctionDoc, ModuleDoc
from articles.importing.pydoc_text import IN_SHORT, MAX_CONTENT, class_row, module_row, summary


def content(row: Row) -> str:
    return str(row.fields["content"])


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("", ""),
        ("Read a file.", "Read a file"),
        ("Read a file.  Then\nclose it.", "Read a file"),
        ("Read a file,\nline by line\n\nMore.", "Read a file, line by line"),
        ("Is it e.g. this? No.", "Is it e.g. this?"),
        ("heapq -- a queue. More.", "A queue"),
        ("functools.py - Tools for functions", "Tools for functions"),
        ("Title of it\n===========\n\nMore.", "Title of it"),
        ("ast\n~~~\n\nTrees of syntax.", "Trees of syntax"),
        ("This module provides access to x.", "Access to x"),
        ("range(stop) -> range object\nrange(a, b) -> x\n\nReturn a thing.", "Return a thing"),
        ("dict() -> new empty dictionary\ndict(x) -> y", "New empty dictionary"),
        ("word " * 60, ("Word " + "word " * 60)[:155].rstrip() + " …"),
    ],
)
def test_the_first_sentence_is_found(doc: str, expected: str) -> None:
    assert summary(doc)[:150] == expected[:150]
    assert len(summary(doc)) <= 160


def test_a_module_lists_its_classes_and_functions() -> None:
    put = FunctionDoc("put", "(a)", "Put it. Then more.")
    bare = FunctionDoc("bare", "", "")
    row = module_row(
        ModuleDoc("box.er", "Boxes for things.", (put, bare), (ClassDoc("Box", "(n)", "A box.", ()),))
    )
    assert row.place == "box.er"
    assert row.fields["slug"] == "python-box-er"
    assert row.fields["title"] == "box.er: Boxes for things"
    assert content(row) == (
        "Boxes for things.\n\n## Classes\n\n- `Box`: A box\n\n## Functions\n\n- `put(a)`: Put it\n- `bare()`"
    )


def test_a_module_known_by_heart_begins_with_what_it_is_for() -> None:
    row = module_row(ModuleDoc("json", "Long words.", (), ()))
    assert content(row) == f"{IN_SHORT['json']}.\n\nLong words."
    assert row.fields["title"] == f"json: {IN_SHORT['json']}"


def test_a_module_without_a_word_is_a_title_alone() -> None:
    row = module_row(ModuleDoc("silent", "", (), ()))
    assert row.fields["title"] == "silent"
    assert content(row) == ""


@pytest.mark.parametrize(
    ("module", "name", "slug"),
    [("box", "box.Lid", "python-box-lid"), ("builtins", "Lid", "python-lid")],
)
def test_a_class_is_named_by_its_module_unless_everybody_has_it(module: str, name: str, slug: str) -> None:
    row = class_row(module, ClassDoc("Lid", "(x)", "A lid.", (FunctionDoc("shut", "()", "Shut it."),)))
    assert (row.fields["slug"], row.fields["title"]) == (slug, f"{name}: A lid")
    assert content(row) == f"`{name}(x)`\n\nA lid.\n\n## Methods\n\n- `shut()`: Shut it"
    metadata = row.fields["metadata"]
    assert (metadata["module"], metadata["kind"]) == (module, "class")


def test_names_lose_the_markup_of_a_documentation_tool() -> None:
    row = class_row("box", ClassDoc("Lid", "", "Shuts a :class:`~box.Box` or :py:class:`it <box.It>`.", ()))
    assert row.fields["title"] == "box.Lid: Shuts a box.Box or it"
    assert content(row) == "Shuts a `box.Box` or `it`."


MANY = tuple(FunctionDoc(f"function_{n:04}", "(argument)", "Does something of use.") for n in range(900))


@pytest.mark.parametrize(
    "module",
    [
        ModuleDoc("m", "word " * 2_000, (), ()),
        ModuleDoc("m", "\n".join(["line of words"] * 2_000), (), ()),
        ModuleDoc("m", "\n\n".join(["A paragraph."] * 900), MANY, ()),
        ModuleDoc("m", "Short.", MANY, tuple(ClassDoc(item.name, "", item.doc, ()) for item in MANY)),
    ],
    ids=["one line", "lines", "paragraphs", "members"],
)
def test_what_is_too_long_is_cut_between_lines_and_says_so(module: ModuleDoc) -> None:
    text = content(module_row(module))
    assert len(text) <= MAX_CONTENT
    assert text.endswith("There is more: type `help('m')` in Python.")
    lines = [line for line in text.splitlines()[:-1] if line.startswith("- ")]
    assert all(line.endswith(": Does something of use") for line in lines)


def test_a_page_that_fits_does_not_mention_more() -> None:
    text = content(module_row(ModuleDoc("m", "x" * 3_000, MANY[:20], ())))
    assert "There is more" not in text
