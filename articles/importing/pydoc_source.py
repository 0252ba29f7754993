"""A corpus that every machine has: the documentation of Python's standard library, a few hundred articles."""

import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from articles.importing import pydoc_text
from articles.importing.entries import Entry, Row, Source
from articles.importing.pydoc_reader import ClassDoc, ModuleDoc, read_imported, read_source, submodules

MAX_ARTICLES = 400
_CLASSES_A_MODULE = 8
_LEAST_DOC = 30  # characters: shorter texts are useless
_LEAST_MODULE_DOC = 120

# Written in C, or a thin face of something that is; importing them has no side effects.
_IMPORTED = frozenset({
    "array", "atexit", "binascii", "builtins", "cmath", "collections", "contextvars", "datetime", "decimal",
    "faulthandler", "fcntl", "functools", "gc", "grp", "hashlib", "io", "itertools", "marshal", "math", "mmap",
    "multiprocessing", "operator", "os", "pwd", "random", "resource", "select", "signal", "socket", "sqlite3",
    "struct", "sys", "syslog", "termios", "threading", "time", "types", "unicodedata", "weakref", "zlib",
})  # fmt: skip
# Jokes, tests, programs, tables, and parts of Python that only Python itself uses.
_LEFT_OUT = frozenset({
    "antigravity", "distutils", "encodings", "ensurepip", "genericpath", "idlelib", "lib2to3", "msvcrt", "nt",
    "ntpath", "nturl2path", "opcode", "posix", "pydoc_data", "pyexpat", "readline", "sre_compile", "sre_constants",
    "sre_parse", "stringprep", "test", "this", "turtledemo", "winreg", "winsound",
})  # fmt: skip
_LEFT_OUT_BELOW = (
    "asyncio.", "ctypes.macholib", "dbm.", "email.base64mime", "email.quoprimime", "email.mime.nonmultipart",
    "importlib.metadata.diagnose", "importlib.readers", "importlib.resources.", "importlib.simple", "json.decoder",
    "json.encoder", "json.scanner", "multiprocessing.dummy", "multiprocessing.forkserver", "multiprocessing.heap",
    "multiprocessing.popen", "multiprocessing.re", "multiprocessing.spawn", "multiprocessing.util", "sqlite3.",
    "tkinter.", "unittest.", "wsgiref.types", "wsgiref.validate", "xml.dom.", "xml.etree.c", "xml.sax.expatreader",
)  # fmt: skip
_KEPT_BELOW = frozenset({"tkinter.filedialog", "tkinter.ttk", "unittest.mock", "xml.dom.minidom"})
_KNOWN_AS = {"posixpath": "os.path"}
# Their classes come before those of others when there is not room for all.
_EVERYDAY = frozenset({
    "argparse", "asyncio", "builtins", "collections", "concurrent", "configparser", "contextlib", "csv", "datetime",
    "decimal", "difflib", "email.message", "email.parser", "enum", "fractions", "functools", "http", "io",
    "ipaddress", "itertools", "json", "logging", "multiprocessing", "pathlib", "pickle", "queue", "random", "sched",
    "selectors", "smtplib", "socket", "socketserver", "sqlite3", "statistics", "string", "subprocess", "tarfile",
    "tempfile", "textwrap", "threading", "timeit", "typing", "unittest", "urllib", "uuid", "weakref",
    "xml.etree.ElementTree", "zipfile",
})  # fmt: skip


def open_pydoc() -> Source:
    """The corpus of the Python that runs this: its modules, then the best documented of their classes."""
    with _collector_paused():
        rows = list(_rows())
    return Source("Python's documentation", _numbered(rows), len(rows))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Syntax trees hold no cycles, and looking for some in them takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _numbered(rows: list[Row]) -> Iterator[Entry]:
    for number, row in enumerate(rows, 1):
        yield Row(row.place, row.fields, number)


def _rows() -> Iterator[Row]:
    modules = [module for name in _module_names() if (module := _read(name))]
    telling = [module for module in modules if _tells_something(module)]
    yield from (pydoc_text.module_row(module) for module in telling)
    for module_name, item in _best_classes(modules, MAX_ARTICLES - len(telling)):
        yield pydoc_text.class_row(module_name, item)


def _module_names() -> Iterator[str]:
    for name in sorted(sys.stdlib_module_names - _LEFT_OUT):
        if not name.startswith("_"):
            yield name
            yield from (below for below in submodules(name) if _is_for_users(below))


def _is_for_users(name: str) -> bool:
    return name in _KEPT_BELOW or not name.startswith(_LEFT_OUT_BELOW)


def _read(name: str) -> ModuleDoc | None:
    module = read_imported(name) if name in _IMPORTED else read_source(name)
    return replace(module, name=_KNOWN_AS.get(name, name)) if module else None


def _tells_something(module: ModuleDoc) -> bool:
    if module.name in pydoc_text.IN_SHORT:
        return True
    functions = sum(len(item.doc) for item in module.functions)
    classes = sum(len(item.doc) for item in module.classes)
    return bool(module.doc) and len(module.doc) + functions + classes >= _LEAST_MODULE_DOC


def _best_classes(modules: Iterable[ModuleDoc], count: int) -> list[tuple[str, ClassDoc]]:
    """The classes to write an article about, with the module they are known from, in the modules' order."""
    candidates: dict[ClassDoc, str] = {}  # a class that a package takes from its own module counts once
    for module in modules:
        ranked = sorted(filter(_is_article, module.classes), key=_size, reverse=True)
        for item in ranked[:_CLASSES_A_MODULE]:
            candidates.setdefault(item, module.name)
    everyday_first = sorted(candidates, key=lambda item: (not _is_everyday(candidates[item]), -_size(item)))
    chosen = frozenset(everyday_first[:count])
    return [(module_name, item) for item, module_name in candidates.items() if item in chosen]


def _is_article(item: ClassDoc) -> bool:
    return len(item.doc) >= _LEAST_DOC and not item.name.endswith(("Error", "Exception", "Warning"))


def _size(item: ClassDoc) -> int:
    return len(item.doc) + sum(len(method.doc) for method in item.methods)


def _is_everyday(module_name: str) -> bool:
    return module_name in _EVERYDAY or module_name.partition(".")[0] in _EVERYDAY
