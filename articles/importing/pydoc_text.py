"""Writes the documentation of a module or class as an article in Markdown."""

import platform
import re
import textwrap
from collections.abc import Mapping, Sequence

from articles.importing.entries import Row
from articles.importing.pydoc_reader import ClassDoc, ModuleDoc

MAX_CONTENT = 5_000
_MAX_DOC = 3_000
_ROOM_FOR_HEADINGS = 200
_MAX_SUMMARY = 160

# Purposes of modules whose first sentence does not name it.
IN_SHORT = {
    "array": "Compact arrays of numbers of one type",
    "asyncio": "Write concurrent code with async and await: coroutines, tasks, queues, streams and subprocesses",
    "bytearray": "Bytes that can be changed in place",
    "bytes": "Immutable sequences of bytes",
    "contextvars": "Variables whose value belongs to the current context, such as an asynchronous task",
    "dataclasses": "Classes that mainly hold data, with their methods written for you",
    "datetime": "Dates, times, time zones and time differences",
    "datetime.date": "A day of the calendar: year, month and day",
    "datetime.datetime": "A date together with a time of day, with or without a time zone",
    "datetime.time": "A time of day, with or without a time zone",
    "dict": "Dictionaries that map keys to values",
    "enum": "Enumerations: sets of names with constant values",
    "graphlib": "Sort the nodes of a graph so that dependencies come first",
    "http": "HTTP status codes and methods",
    "http.cookies": "Read and write the cookies of HTTP requests and answers",
    "importlib": "The import system: load modules by name and customise how they are found",
    "importlib.metadata": "Read the version, entry points and files of installed packages",
    "importlib.resources": "Read data files that belong to a package",
    "int": "Whole numbers of any size",
    "io": "Streams of text and bytes: files, buffers and files in memory",
    "json": "Encode Python objects as JSON and decode JSON",
    "list": "Sequences that can be changed: append, insert, sort",
    "mmap": "Memory-mapped files",
    "multiprocessing": "Run code in several processes at once, with queues, pools and shared memory between them",
    "os": "Talk to the operating system: files, folders, processes and environment variables",
    "resource": "Limit and measure the memory, processor time and files a process uses",
    "signal": "Handle signals such as an interrupt, an alarm or a request to stop",
    "str": "Text: sequences of Unicode characters",
    "sys": "What the interpreter knows of itself: arguments, paths, streams, versions and limits",
    "syslog": "Write messages to the system log of Unix",
    "threading": "Run code in several threads that share memory, with locks, events and timers between them",
    "tomllib": "Read TOML configuration files",
    "tracemalloc": "Find out where a program allocates its memory",
    "types": "Names for built-in types, and helpers to make new types",
    "unittest.mock": "Replace parts of a program under test with mock objects",
    "urllib": "Fetch and take apart URLs",
    "urllib.robotparser": "Read robots.txt files and say which pages a robot may fetch",
    "zipapp": "Pack a Python program into one executable archive",
    "zoneinfo": "Time zones of the IANA database",
}
_SIGNATURE_LINE = re.compile(r"\A[\w.]+\(.*?(?:\)|$)(?: -+> .*)?")
_UNDERLINE = re.compile(r"^[ \t]*([=~*#^-])\1{2,}[ \t]*$", re.MULTILINE)
_OPENING = re.compile(
    r"\A(?:[^\w\"'`(]+|(?:Module )?[\w.]+ (?:module )?(?:-{1,2}|—) "
    r"|(?:This|The \S+) module (?:provides|implements|supports|defines|contains|performs|exports) )"
)
_ROLE = re.compile(r":[\w:]{1,40}:`~?([^`<]+?)(?: <[^`>]*>)?`")  # Sphinx' way of naming things: :class:`Path`
_NO_SLUG = re.compile(r"[^a-z0-9]+")
_SENTENCE = re.compile(r"\A.+?[.!?](?=\s+[A-Z]|\s*$)")


def module_row(module: ModuleDoc) -> Row:
    """The article of a module: its docstring, its classes and its functions."""
    short = IN_SHORT.get(module.name, "")
    doc = f"{short}.\n\n{module.doc}" if short else module.doc
    sections = {
        "Classes": [_item(item.name, "", item.doc) for item in module.classes],
        "Functions": [_item(item.name, item.signature or "()", item.doc) for item in module.functions],
    }
    content = _content(module.name, "", doc, sections)
    return _row("module", module.name, module.name, short or summary(doc), content)


def class_row(module_name: str, item: ClassDoc) -> Row:
    """The article of a class: its signature, docstring and methods."""
    name = item.name if module_name == "builtins" else f"{module_name}.{item.name}"
    call = f"`{name}{item.signature}`" if item.signature else ""
    sections = {
        "Methods": [_item(method.name, method.signature or "()", method.doc) for method in item.methods]
    }
    content = _content(name, call, item.doc, sections)
    return _row("class", name, module_name, IN_SHORT.get(name) or summary(item.doc), content)


def summary(doc: str) -> str:
    """The first sentence of a docstring on one line, without its full stop; empty for an empty docstring."""
    telling = (paragraph for paragraph in doc.split("\n\n") if not _is_signature(paragraph))
    texts = (_OPENING.sub("", " ".join(_UNDERLINE.sub("", text).split()), count=1) for text in telling)
    text = next((text for text in texts if len(text.split()) > 1), doc.partition("> ")[2].partition("\n")[0])
    sentence = match[0] if (match := _SENTENCE.match(text)) else text
    sentence = textwrap.shorten(sentence, _MAX_SUMMARY, placeholder=" …").rstrip(".:")
    return sentence[:1].upper() + sentence[1:]


def _row(kind: str, name: str, module: str, short: str, content: str) -> Row:
    version = ".".join(platform.python_version_tuple()[:2])
    return Row(
        name,
        {
            "slug": "python-" + _NO_SLUG.sub("-", name.lower()).strip("-"),
            "title": f"{name}: {_ROLE.sub(r'\1', short)}" if short else name,
            "content": _ROLE.sub(r"`\1`", content),
            "metadata": {"source": "pydoc", "module": module, "kind": kind, "python": version},
        },
    )


def _content(name: str, call: str, doc: str, sections: Mapping[str, Sequence[str]]) -> str:
    paragraphs = _taken(doc.split("\n\n"), "\n\n", _MAX_DOC)
    sections = {heading: items for heading, items in sections.items() if items}
    room = MAX_CONTENT - _ROOM_FOR_HEADINGS - len(call) - len(paragraphs)
    lists = {heading: _taken(items, "\n", room // len(sections)) for heading, items in sections.items()}
    blocks = [call, paragraphs, *(f"## {heading}\n\n{text}" for heading, text in lists.items())]
    if paragraphs != doc or any(text != "\n".join(sections[heading]) for heading, text in lists.items()):
        blocks.append(f"There is more: type `help({name!r})` in Python.")
    return "\n\n".join(block for block in blocks if block.strip())


def _taken(pieces: Sequence[str], separator: str, room: int) -> str:
    """As many whole pieces as there is room for (in characters); of a first one that is too long, its whole lines."""
    text = pieces[0] if pieces else ""
    if len(text) > room:
        return text[:room].rpartition("\n")[0]
    for piece in pieces[1:]:
        if len(text) + len(separator) + len(piece) > room:
            break
        text += separator + piece
    return text


def _item(name: str, signature: str, doc: str) -> str:
    short = summary(doc)
    return f"- `{name}{signature}`: {short}" if short else f"- `{name}{signature}`"


def _is_signature(paragraph: str) -> bool:
    return bool(_SIGNATURE_LINE.fullmatch(paragraph.partition("\n")[0].strip()))
