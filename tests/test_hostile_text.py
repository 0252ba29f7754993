"""No text holds the interpreter: every pattern and every parser takes 100,000 of each hostile character in linear time.

What grows with the square of its input takes minutes for as many, so the bound leaves slow machines much room.
"""

import ast
import contextlib
import importlib
import io
import json
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ninja.errors import HttpError

import access
import articles
import config
import embeddings
import lib
import queueops
from articles import slugs
from articles.api import etags
from articles.importing import csv_source, front_matter, jsonl_source, markdown_source, pydoc_text
from articles.importing.entries import SourceUnreadable
from articles.importing.yaml_values import FrontMatterError
from articles.pages.markdown_blocks import blocks, heading_of, plain
from config import log_bounds
from config.http import json_bodies
from embeddings.search.snippet import passage_of
from embeddings.servers.fake_provider import vectors as fake_vectors
from embeddings.servers.local_embedder import wordpiece
from embeddings.text import chunking, tokens
from lib import visible_text
from queueops.cli.frame import tables
from queueops.operate.transfer import file_format
from tests.paths import ROOT

pytestmark = pytest.mark.slow

ROOMS = (access, articles, config, embeddings, lib, queueops)
MANY = 100_000
CPU_SECONDS = 2.0

CHARACTERS = " \n\t\r#`-*<>\"'\\a0.:;,=~_/[](){}|&%@\x00\x0b\x1c\x85\u0301\u200b\u2028\u3000é日𝟘"
HOSTILE = {
    **{f"{character!a} alone": character * MANY for character in CHARACTERS},
    "a heading full of blanks": "# a" + " " * MANY + "b",
    "a heading full of marks": "# a" + " #" * (MANY // 2) + "b",
    "a word after newlines": "a" + "\n" * MANY + "b",
    "a word after blanks": "a" + " " * MANY + "b",
    "blank lines with blanks": "a" + "\n " * (MANY // 2) + "b",
    "front matter without end": "---\n" * (MANY // 4),
    "rules with a tail": "---\n" + ("--- " + " " * 96 + "x\n") * (MANY // 100),
    "items": "- a\n" * (MANY // 4),
    "an item that goes on": "- a\n" + "b\n" * (MANY // 2),
    "code": "`a` " * (MANY // 4),
    "code that is not closed": "`a\n" * (MANY // 3),
    "fences": "```\n" * (MANY // 4),
    "sentences without blanks": ".\"" * (MANY // 2) + "x",
    "a sentence full of quotes": "." + '"' * MANY + "x",
    "brackets": "a(" * (MANY // 2),
    "images": "![" * (MANY // 2),
    "links": "[a](b) " * (MANY // 7),
    "links in links": "[" * (MANY // 2) + "](b)" * (MANY // 8),
    "links that are defined": "[a]: /b\n" + "[a] " * (MANY // 4),
    "emphasis": "*a_ " * (MANY // 4),
    "runs of backticks": "".join("`" * length + " " for length in range(440)),
    "quotes": "> a\n" * (MANY // 4),
    "a long table": "|a|b|\n|-|-|\n" + "|c|d|\n" * (MANY // 6),
    "a wide table": "|" + "a|" * (MANY // 4) + "\n|" + "-|" * (MANY // 4) + "\n",
    "lists in lists": "".join(" " * depth + "- a\n" for depth in range(440)),
    "closed brackets": "a(" + ") -" * (MANY // 3),
    "roles": ":a" * (MANY // 2),
    "roles with marks": ":a:`b <" * (MANY // 7),
    "quoted cells": '"a","' * (MANY // 5),
    "a cell of newlines": 'title\n"' + "\n" * MANY + '"',
    "marks in turn": "a" + "\u0301\u0316" * (MANY // 2),
    "passwords": "password=" * (MANY // 9),
    "COPY": 'COPY a.b ("' * (MANY // 11),
    "a JSON list": "[" * MANY,
    "a JSON object": '{"a":' * (MANY // 5),
    "a number": "-" + "9" * MANY,
    "a key": "a: " * (MANY // 3),
    "escapes": "\\u0061" * (MANY // 6),
}  # fmt: skip


class CpuTime:
    """How long a block had the processor: a busy machine does not count."""

    def __enter__(self) -> "CpuTime":
        self._began = time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.thread_time() - self._began


def modules() -> Iterator[ModuleType]:
    """Every module of ours that can be imported without doing something."""
    for room in ROOMS:
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def compiled() -> dict[str, re.Pattern[Any]]:
    """Every pattern at the top of a module, alone or in a collection, by its place."""
    found: dict[str, re.Pattern[Any]] = {}
    for module in modules():
        for name, value in vars(module).items():
            each = value if isinstance(value, list | tuple | set | frozenset) else [value]
            patterns = [item for item in each if isinstance(item, re.Pattern)]
            if module.__name__.split(".")[0] in {room.__name__ for room in ROOMS}:
                found |= {f"{module.__name__}.{name}:{n}": item for n, item in enumerate(patterns)}
    return found


PATTERNS = compiled()


def test_the_patterns_are_found() -> None:
    assert {
        "articles.pages.markdown_blocks._MARKS:0",
        "config.http.json_bodies._LONG_NUMBER:0",
    } <= PATTERNS.keys()


@pytest.mark.parametrize("place", PATTERNS)
def test_a_pattern_takes_hostile_text_in_linear_time(place: str) -> None:
    pattern = PATTERNS[place]
    for name, text in HOSTILE.items():
        subject = text.encode() if isinstance(pattern.pattern, bytes) else text
        for use in (pattern.match, pattern.search, pattern.fullmatch, pattern.split):
            with CpuTime() as took:
                use(subject)
            assert took.seconds < CPU_SECONDS, (name, use)


def test_patterns_stand_at_the_top_of_their_module() -> None:
    """So that the test above sees all of them."""
    for path in [ROOT / "dev", *(p for room in ROOMS for p in sorted(Path(room.__path__[0]).rglob("*.py")))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                calls = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
                assert not [
                    call.attr
                    for call in calls
                    if isinstance(call, ast.Attribute)
                    and isinstance(call.value, ast.Name)
                    and call.value.id == "re"
                    and call.attr != "escape"
                ], f"{path.relative_to(ROOT)}: {getattr(node, 'name', 'a lambda')}"


def ignoring_refusals(
    *expected: type[Exception],
) -> Callable[[Callable[[str], object]], Callable[[str], None]]:
    """A parser whose refusals are as good as its results."""

    def wrapped(parser: Callable[[str], object]) -> Callable[[str], None]:
        def run(text: str) -> None:
            with contextlib.suppress(*expected):
                parser(text)

        return run

    return wrapped


def chunk(count: tokens.TokenCounter) -> Callable[[str], object]:
    return lambda text: chunking.chunks_of("T", text, budget=250, overlap=20, count=count)


PARSERS: dict[str, Callable[[str], object]] = {
    "blocks": blocks,
    "heading_of": heading_of,
    "plain": plain,
    "markdown heading": markdown_source.heading,
    "markdown": ignoring_refusals(FrontMatterError)(front_matter.split),
    "front matter": ignoring_refusals(FrontMatterError)(
        lambda text: front_matter.split(f"---\nname: {text[:65_000]}\n---\n")
    ),
    "front matter of names": ignoring_refusals(FrontMatterError)(
        lambda text: front_matter.split(f"---\n{text[:65_000]}: 1\n---\n")
    ),
    "toml": ignoring_refusals(FrontMatterError)(
        lambda text: front_matter.split(f"+++\n{text[:16_000]} = 1\n+++\n")
    ),
    "json": ignoring_refusals(FrontMatterError)(lambda text: front_matter.split(f'{{"a": {text}')),
    "an address": slugs.from_address,
    "csv": ignoring_refusals(SourceUnreadable)(
        lambda text: list(csv_source.read_csv("x", io.BytesIO(text.encode())))
    ),
    "csv rows": lambda text: list(csv_source.read_csv("x", io.BytesIO(b"title\n" + text.encode()))),
    "jsonl": ignoring_refusals(SourceUnreadable)(
        lambda text: list(jsonl_source.read_jsonl("x", io.BytesIO(text.encode())))
    ),
    "a jsonl text": lambda text: list(
        jsonl_source.read_jsonl("x", io.BytesIO(json.dumps({"title": text}).encode()))
    ),
    "a docstring": pydoc_text.summary,
    "slug": slugs.candidates,
    "If-Match": lambda text: (etags.may_write(text, '"1"'), etags.is_known(text, '"1"')),
    "the API's JSON": ignoring_refusals(HttpError)(lambda text: json_bodies.parse(text.encode())),
    "a text in the API's JSON": lambda text: json_bodies.parse(json.dumps(text + "1" * 19).encode()),
    "chunks by wordpiece": chunk(wordpiece.count),
    "chunks by estimate": chunk(tokens.estimate),
    "wordpiece": ignoring_refusals(wordpiece.TooManyTokens)(wordpiece.encode),
    "the passage of a query": lambda text: passage_of(text, text[-1_000:].split(), len(text) // 2),
    "the fake provider's words": lambda text: fake_vectors._WORD.findall(text),
    "a line of tasks": ignoring_refusals(file_format.FileRefused)(
        lambda text: file_format.task(text.encode(), 1)
    ),
    "a cell of a table": tables.plain,
    "a title on a page": visible_text.readable,
    "a log line": lambda text: log_bounds.unforgeable(
        None, "", {"event": text, "value": [text], "exception": text}
    ),
}


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_hostile_text_in_linear_time(name: str) -> None:
    for kind, text in HOSTILE.items():
        with CpuTime() as took:
            PARSERS[name](text)
        assert took.seconds < CPU_SECONDS, (kind, took.seconds)


def test_an_item_of_half_a_million_lines_is_joined_once() -> None:
    with CpuTime() as took:
        markdown = "- a\n" + "b\n" * 498_000
        blocks(markdown)
        list(csv_source.read_csv("x", io.BytesIO(b'title\n"' + b"\n" * 500_000 + b'"')))
        csv_source._check_columns("x", [f"c{number}" for number in range(200_000)])
    assert took.seconds < 3 * CPU_SECONDS


def test_a_query_of_many_words_is_looked_for_once() -> None:
    words = [f"abc{number}" for number in range(140)]
    with CpuTime() as took:
        for _ in range(100):
            passage_of("abcd " * 4_000, words)
    assert took.seconds < 3 * CPU_SECONDS
