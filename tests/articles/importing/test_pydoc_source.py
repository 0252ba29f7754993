"""The corpus that every machine has."""

import re
import sys
from functools import cache

import pytest

from articles import limits
from articles.importing.drafts import Draft, draft_from
from articles.importing.entries import Row
from articles.importing.pydoc_source import open_pydoc
from articles.importing.pydoc_text import MAX_CONTENT

pytestmark = pytest.mark.xdist_group("pydoc")  # in one process, so that the corpus is read once


@cache
def corpus() -> dict[str, Row]:
    return {entry.place: entry for entry in open_pydoc().entries if isinstance(entry, Row)}


def content(name: str) -> str:
    return str(corpus()[name].fields["content"])


def test_it_has_a_few_hundred_articles_that_are_soon_embedded() -> None:
    assert 300 <= len(corpus()) <= 450
    assert 300_000 < sum(len(content(name)) for name in corpus()) < 900_000


def test_every_article_is_within_the_bounds_and_has_its_own_slug() -> None:
    drafts = [draft_from(row) for row in corpus().values()]
    assert all(isinstance(draft, Draft) for draft in drafts)
    assert len({draft.slug for draft in drafts if isinstance(draft, Draft)}) == len(drafts)
    assert all(len(content(name)) <= MAX_CONTENT for name in corpus())
    assert all(len(str(row.fields["title"])) < limits.MAX_TITLE for row in corpus().values())


@pytest.mark.parametrize(
    "name",
    ["zipfile", "zipfile.ZipFile", "argparse", "argparse.ArgumentParser", "optparse", "getopt", "threading.Thread",
     "concurrent.futures", "threading", "json", "math", "itertools", "zlib", "datetime.datetime", "pathlib.Path",
     "collections.deque", "subprocess.Popen", "asyncio", "asyncio.Queue", "urllib.request", "os.path", "str", "dict",
     "unittest.mock", "sqlite3", "random", "re", "logging", "tomllib", "xml.etree.ElementTree"],
)  # fmt: skip
def test_what_people_look_for_is_there(name: str) -> None:
    assert name in corpus()


@pytest.mark.parametrize(
    "name", ["this", "antigravity", "idlelib", "test", "lib2to3", "_thread", "turtledemo"]
)
def test_jokes_tests_and_private_parts_are_left_out(name: str) -> None:
    assert name not in corpus()


def test_an_article_says_what_it_is_about_and_what_it_offers() -> None:
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


def test_an_article_that_was_cut_says_where_there_is_more() -> None:
    assert content("sys").endswith("There is more: type `help('sys')` in Python.")
    assert "There is more" not in content("zipfile")


def test_the_corpus_is_the_same_each_time() -> None:
    assert not [name for name in corpus() if re.search(r" at 0x[0-9a-f]{6}", content(name))]
    again = {entry.place: entry for entry in open_pydoc().entries}
    assert again == corpus()


def test_names_are_given_in_plain_words_not_in_the_markup_of_a_documentation_tool() -> None:
    assert "importlib.resources.abc.Traversable" in str(corpus()["zipfile.Path"].fields["title"])
    marked = [
        name for name, row in corpus().items() if re.search(r":(class|func|meth|mod):`", str(row.fields))
    ]
    assert marked == []
