"""What is read of a module: from a standard library made for the test, and from modules as they are imported."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from articles.importing import pydoc_reader
from articles.importing.pydoc_reader import ModuleDoc, read_imported, read_source, submodules

type Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a file into a standard library that is empty at first."""

    def into_library(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    _forget_the_library()
    yield into_library
    monkeypatch.undo()
    _forget_the_library()


def _forget_the_library() -> None:
    pydoc_reader._stdlib.cache_clear()
    pydoc_reader._tree.cache_clear()


def of_source(name: str) -> ModuleDoc:
    found = read_source(name)
    assert found is not None
    return found


def names(found: ModuleDoc) -> tuple[list[str], list[str]]:
    """Functions and classes."""
    return [item.name for item in found.functions], [item.name for item in found.classes]


def test_public_documented_members_are_read_and_no_others(write: Write) -> None:
    write(
        "tool.py",
        '"""  A tool.\n\n    Indented.\n    """\n'
        'def zeta(a, /, b=1, *, c=None):\n    "Does."\n'
        'async def Alpha():\n    "Waits."\n'
        "def silent(): pass\n"
        'def _hidden():\n    "Hidden."\n'
        'class Box:\n    "Holds."\n    def __init__(self, size): pass\n'
        '    def put(self, item):\n        "Puts."\n    def drop(self): pass\n    def _x(self):\n        "x"\n'
        "class Empty: pass\n",
    )
    found = of_source("tool")
    assert (found.name, found.doc) == ("tool", "A tool.\n\nIndented.")
    assert [(item.name, item.signature, item.doc) for item in found.functions] == [
        ("Alpha", "()", "Waits."),
        ("zeta", "(a, b=1, *, c=None)", "Does."),
    ]
    assert [(item.name, item.signature, item.doc) for item in found.classes] == [("Box", "(size)", "Holds.")]
    assert [(item.name, item.signature) for item in found.classes[0].methods] == [("put", "(item)")]


def test_all_says_what_is_public_even_with_an_underscore(write: Write) -> None:
    write(
        "tool.py",
        '__all__ = ["_kept"]\n__all__ += ["late"]\nother = ["ignored"]\n'
        + "".join(f'def {name}():\n    "Does."\n' for name in ("_kept", "late", "ignored")),
    )
    assert names(of_source("tool")) == (["_kept", "late"], [])


def test_a_class_that_says_nothing_is_documented_by_its_constructor(write: Write) -> None:
    write("tool.py", 'class Box:\n    def __init__(self):\n        "Makes a box."\n')
    assert of_source("tool").classes[0].doc == "Makes a box."


def test_a_property_is_a_method_once(write: Write) -> None:
    write(
        "tool.py",
        'class Box:\n    "Holds."\n'
        '    @property\n    def size(self):\n        "How large."\n'
        '    @size.setter\n    def size(self, value):\n        "Sets."\n'
        '    @classmethod\n    def make(cls, n):\n        "Makes."\n',
    )
    assert [(item.name, item.signature, item.doc) for item in of_source("tool").classes[0].methods] == [
        ("make", "(n)", "Makes."),
        ("size", "()", "How large."),
    ]


def test_a_package_takes_members_from_its_own_modules_and_from_no_other(write: Write) -> None:
    write(
        "pack/__init__.py",
        '"Package."\n__all__ = ["near", "full", "far"]\n'
        "from .inner import near, unlisted\nfrom pack.deep.more import full\nfrom outside import far\n",
    )
    write("pack/inner.py", 'def near():\n    "Near."\ndef unlisted():\n    "Unlisted."\n')
    write("pack/deep/__init__.py", "")
    write("pack/deep/more.py", 'def full():\n    "Full."\n')
    write("outside.py", 'def far():\n    "Far."\n')
    assert names(of_source("pack")) == (["full", "near"], [])


def test_a_star_brings_what_the_other_module_exports(write: Write) -> None:
    write("pack/__init__.py", "from .inner import *\n")
    write("pack/inner.py", '__all__ = ["a"]\ndef a():\n    "A."\ndef b():\n    "B."\n')
    assert names(of_source("pack")) == (["a"], [])


def test_a_module_of_a_package_may_import_from_its_siblings_and_from_above(write: Write) -> None:
    write("pack/__init__.py", "")
    write("pack/first.py", '__all__ = ["a", "b"]\nfrom .second import a\nfrom . import second\n')
    write("pack/second.py", 'def a():\n    "A."\n')
    assert names(of_source("pack.first")) == (["a"], [])
    write("pack/low/__init__.py", "")
    write("pack/low/third.py", '__all__ = ["a"]\nfrom ..second import a\n')
    assert names(of_source("pack.low.third")) == (["a"], [])


def test_modules_that_import_each_other_are_read_all_the_same(write: Write) -> None:
    write("pack/__init__.py", "")
    write("pack/one.py", 'from .two import *\ndef a():\n    "A."\n')
    write("pack/two.py", 'from .one import *\ndef b():\n    "B."\n')
    assert names(of_source("pack.one")) == (["a", "b"], [])


@pytest.mark.parametrize("text", ["import warnings\nwarnings._deprecated('tool', remove=(4, 0))\n"])
def test_a_deprecated_module_is_left_out(write: Write, text: str) -> None:
    write("tool.py", text)
    assert read_source("tool") is None
    write("other.py", "def f():\n    warnings._deprecated('f')\n")
    assert read_source("other") is not None


def test_a_long_signature_ends_with_a_whole_argument(write: Write) -> None:
    arguments = ", ".join(f"argument_number_{n}" for n in range(20))
    write("tool.py", f'def f({arguments}):\n    "Does."\ndef g({"a" * 157}):\n    "Does."\n')
    long, just = (item.signature for item in of_source("tool").functions)
    assert len(long) <= 160 + len(", …)")
    assert long.endswith(", …)")
    assert all(part.strip("(…) ") in arguments.split(", ") for part in long.split(", ")[:-1])
    assert just == f"({'a' * 157})"  # 159 characters fit as they are


@pytest.mark.parametrize("name", ["missing", "folder", "pack.missing"])
def test_what_has_no_source_is_nothing(write: Write, name: str) -> None:
    write("folder/text.txt", "no module")
    write("pack/__init__.py", "")
    assert read_source(name) is None


def test_submodules_are_public_at_any_depth_and_no_tests(write: Write) -> None:
    for name in (
        "__init__", "b", "a/__init__", "a/c", "_private", "a/_d", "_hidden/e", "test/f", "tests/g", "a/tests/h",
    ):  # fmt: skip
        write(f"pack/{name}.py", "")
    assert submodules("pack") == ["pack.a", "pack.a.c", "pack.b"]
    assert submodules("no_such_package") == []


# --- imported ---------------------------------------------------------------------------------------------------


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An empty module that can be imported as `made`."""
    made = ModuleType("made", "  Made.\n\n    Here.")
    monkeypatch.setitem(sys.modules, "made", made)
    return made


def fill(module: ModuleType, program: str) -> ModuleDoc:
    exec(program, module.__dict__)
    found = read_imported("made")
    assert found is not None
    return found


def test_functions_and_classes_are_read_under_their_own_name_alone(module: ModuleType) -> None:
    found = fill(
        module,
        'def real(a, /, b=2):\n    "Does."\nalias = real\nLIMIT = 3\ndef silent(): pass\n'
        'class Box:\n    "Holds."\n    def put(self, item):\n        "Puts."\n    def _x(self):\n        "x"\n'
        'class Broken(Exception):\n    "Raised."\n',
    )
    assert found.doc == "Made.\n\nHere."
    assert names(found) == (["real"], ["Box"])
    assert found.functions[0].signature == "(a, b=2)"
    assert [(item.name, item.signature) for item in found.classes[0].methods] == [("put", "(item)")]


def test_all_decides_for_an_imported_module_too(module: ModuleType) -> None:
    found = fill(module, '__all__ = ["_a", "gone"]\ndef _a():\n    "A."\ndef b():\n    "B."\n')
    assert names(found) == (["_a"], [])


def test_a_default_without_a_constant_form_is_the_same_each_time(module: ModuleType) -> None:
    found = fill(module, 'class _O: pass\ndef f(a=_O()):\n    "Does."\n')
    assert found.functions[0].signature == "(a=...)"


@pytest.mark.parametrize(
    ("module_name", "name", "signature"),
    [
        ("zlib", "crc32", "(data, value=0)"),  # ($module, data, value=0, /)
        ("gc", "enable", "()"),  # ($module, /)
        ("builtins", "dict.fromkeys", "(iterable, value=None)"),  # ($type, …
        ("builtins", "list.append", "(object)"),  # ($self, …
        ("builtins", "list.clear", "()"),
    ],
)
def test_what_is_written_in_c_is_shown_as_it_is_called(module_name: str, name: str, signature: str) -> None:
    found = read_imported(module_name)
    assert found is not None
    methods = {f"{item.name}.{each.name}": each for item in found.classes for each in item.methods}
    assert (methods | {item.name: item for item in found.functions})[name].signature == signature


def test_an_argument_that_begins_with_self_stays(module: ModuleType) -> None:
    found = fill(module, 'def f(selfish, b):\n    "Does."\n')
    assert found.functions[0].signature == "(selfish, b)"


@pytest.mark.parametrize("reader", [read_source, read_imported])
def test_a_module_that_this_python_lacks_is_not_an_error(reader: Callable[..., Any]) -> None:
    assert reader("no_such_module_anywhere") is None


@pytest.mark.process
def test_reading_a_module_does_not_run_it() -> None:
    program = "import sys; from articles.importing.pydoc_reader import read_source as read; " \
        "assert read('turtle'); assert 'turtle' not in sys.modules"  # fmt: skip
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_package_of_the_real_library_speaks_for_the_modules_it_takes_its_members_from() -> None:
    functions, classes = names(of_source("asyncio"))
    assert {"Queue", "Lock", "TaskGroup"} <= set(classes)
    assert "sleep" in functions
