"""The corpus that every machine has."""

import re
import subprocess
import sys
from functools import cache

import pytest

from articles import bounds
from articles.importing.drafts import Draft, draft_from
from articles.importing.entries import Row
from articles.importing.pydoc_reader import read_imported, read_source, submodules
from articles.importing.pydoc_source import open_pydoc
from articles.importing.pydoc_text import MAX_CONTENT, summary

pytestmark = pytest.mark.xdist_group("pydoc")  # in one process, so that the corpus is read once


@cache
def corpus() -> dict[str, Row]:
    return {entry.place: entry for entry in open_pydoc().entries if isinstance(entry, Row)}


def content(name: str) -> str:
    return str(corpus()[name].fields["content"])


def test_it_has_a_few_hundred_articles_that_are_soon_embedded():
    assert 300 <= len(corpus()) <= 450
    assert 300_000 < sum(len(content(name)) for name in corpus()) < 900_000


def test_every_article_is_within_the_bounds_and_has_its_own_slug():
    drafts = [draft_from(row) for row in corpus().values()]
    assert all(isinstance(draft, Draft) for draft in drafts)
    assert len({draft.slug for draft in drafts if isinstance(draft, Draft)}) == len(drafts)
    assert all(len(content(name)) <= MAX_CONTENT for name in corpus())
    assert all(len(str(row.fields["title"])) < bounds.MAX_TITLE for row in corpus().values())


@pytest.mark.parametrize(
    "name",
    ["zipfile", "zipfile.ZipFile", "argparse", "argparse.ArgumentParser", "optparse", "getopt", "threading.Thread",
     "concurrent.futures", "threading", "json", "math", "itertools", "zlib", "datetime.datetime", "pathlib.Path",
     "collections.deque", "subprocess.Popen", "asyncio", "asyncio.Queue", "urllib.request", "os.path", "str", "dict",
     "unittest.mock", "sqlite3", "random", "re", "logging", "tomllib", "xml.etree.ElementTree"],
)  # fmt: skip
def test_what_people_look_for_is_there(name):
    assert name in corpus()


@pytest.mark.parametrize(
    "name", ["this", "antigravity", "idlelib", "test", "lib2to3", "_thread", "turtledemo"]
)
def test_jokes_tests_and_private_parts_are_left_out(name):
    assert name not in corpus()


def test_an_article_says_what_it_is_about_and_what_it_offers():
    fields = corpus()["zipfile.ZipFile"].fields
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert fields["slug"] == "python-zipfile-zipfile"
    assert (
        fields["title"] == "zipfile.ZipFile: Class with methods to open, read, write, close, list zip files"
    )
    assert fields["metadata"] == {"source": "pydoc", "module": "zipfile", "kind": "class", "python": version}
    assert "## Methods" in str(fields["content"])
    assert "- `extractall(path=None, members=None, pwd=None)`: Extract all members" in str(fields["content"])
    assert "- `is_zipfile(filename)`: Quickly see if a file is a ZIP file" in content("zipfile")


def test_an_article_that_was_cut_says_where_there_is_more():
    assert content("sys").endswith("There is more: type `help('sys')` in Python.")
    assert "There is more" not in content("zipfile")


def test_the_corpus_is_the_same_each_time():
    assert not [name for name in corpus() if re.search(r" at 0x[0-9a-f]{6}", content(name))]
    again = {entry.place: entry for entry in open_pydoc().entries}
    assert again == corpus()


@pytest.mark.process
def test_reading_a_module_does_not_run_it():
    program = "import sys; from articles.importing.pydoc_reader import read_source as read; " \
        "assert read('turtle'); assert 'turtle' not in sys.modules"  # fmt: skip
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_package_speaks_for_the_modules_it_takes_its_members_from():
    asyncio = read_source("asyncio")
    assert asyncio is not None
    assert {"Queue", "Lock", "TaskGroup"} <= {item.name for item in asyncio.classes}
    assert "sleep" in {item.name for item in asyncio.functions}


def test_a_module_that_this_python_lacks_is_no_error():
    assert read_imported("no_such_module_anywhere") is None
    assert read_source("no_such_module_anywhere") is None
    assert submodules("no_such_module_anywhere") == []


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("", ""),
        ("Read a file.", "Read a file"),
        ("Read a file.  Then\nclose it.", "Read a file"),
        ("Read a file,\nline by line\n\nMore.", "Read a file, line by line"),
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
def test_the_first_sentence_is_found(doc, expected):
    assert summary(doc)[:150] == expected[:150]


def test_names_are_given_in_plain_words_not_in_the_markup_of_a_documentation_tool():
    assert "importlib.resources.abc.Traversable" in str(corpus()["zipfile.Path"].fields["title"])
    marked = [
        name for name, row in corpus().items() if re.search(r":(class|func|meth|mod):`", str(row.fields))
    ]
    assert marked == []
