"""Reads the documentation of Python modules, from their source where there is one, without running it."""

import ast
import importlib
import inspect
import re
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from lib.regular_files import read_small

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_MAX_SIGNATURE = 160
_DEEPEST_IMPORT = 4
_MOST_SOURCE_BYTES = 10_000_000
_ADDRESS = re.compile(r"<[^<>]*>")  # in the repr of a default, and new each time
_FIRST_ARGUMENT = re.compile(r"\((?:\$\w+|self|cls)\b(?:, )?")  # C marks what a call does not name with $


@dataclass(frozen=True, slots=True)
class FunctionDoc:
    """A function or method: `signature` without self, in parentheses."""

    name: str
    signature: str
    doc: str


@dataclass(frozen=True, slots=True)
class ClassDoc:
    """A class with its public, documented methods."""

    name: str
    signature: str
    doc: str
    methods: tuple[FunctionDoc, ...]


@dataclass(frozen=True, slots=True)
class ModuleDoc:
    """A module with its public, documented members."""

    name: str
    doc: str
    functions: tuple[FunctionDoc, ...]
    classes: tuple[ClassDoc, ...]


def read_source(name: str) -> ModuleDoc | None:
    """A module's documentation out of its source; None where there is none or the module is deprecated."""
    tree = _tree(name)
    if tree is None or _is_deprecated(tree):
        return None
    members = _exported(name, _DEEPEST_IMPORT)
    return ModuleDoc(
        name,
        ast.get_docstring(tree) or "",
        tuple(sorted((_function(node) for node in members if isinstance(node, _Function)), key=_by_name)),
        tuple(sorted((_class(node) for node in members if isinstance(node, ast.ClassDef)), key=_by_name)),
    )


def read_imported(name: str) -> ModuleDoc | None:
    """A module's documentation by importing it: for modules written in C; None where this Python lacks it."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    members = [member for member in _live_members(module) if inspect.getdoc(member)]
    functions = (_live_function(member.__name__, member) for member in members if not inspect.isclass(member))
    classes = (_live_class(member) for member in members if inspect.isclass(member))
    return ModuleDoc(
        name,
        inspect.cleandoc(module.__doc__ or ""),
        tuple(sorted(functions, key=_by_name)),
        tuple(sorted(classes, key=_by_name)),
    )


def submodules(package: str) -> list[str]:
    """The public modules of a package, at any depth, the package itself left out."""
    root = _stdlib() / package
    found = []
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and not any(part.startswith("_") or part in ("test", "tests") for part in parts):
            found.append(".".join([package, *parts]))
    return sorted(found)


def _by_name(doc: FunctionDoc | ClassDoc) -> str:
    return doc.name.lower()


@cache
def _stdlib() -> Path:
    return Path(sysconfig.get_paths()["stdlib"])


def _path(name: str) -> Path | None:
    base = _stdlib().joinpath(*name.split("."))
    candidates = (base / "__init__.py", base.with_name(base.name + ".py"))
    return next((path for path in candidates if path.is_file()), None)


@lru_cache(maxsize=16)  # a syntax tree is a hundred times its text: keep those that a package's modules share
def _tree(name: str) -> ast.Module | None:
    path = _path(name)
    return ast.parse(read_small(path, _MOST_SOURCE_BYTES)) if path else None


def _is_deprecated(tree: ast.Module) -> bool:
    """The standard library's own mark: a module-level call of warnings._deprecated."""
    calls = (
        node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    return any(isinstance(call.func, ast.Attribute) and call.func.attr == "_deprecated" for call in calls)


# --- members of a module in source ------------------------------------------------------------------------------


def _exported(name: str, depth: int) -> list[_Function | ast.ClassDef]:
    """Public, documented definitions of a module, those it takes from its own package's modules included."""
    tree = _tree(name)
    if tree is None:
        return []
    found = {node.name: node for node in _documented(tree.body)}
    public = _all_names(tree)
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and depth and _is_own(name, statement):
            found |= _imported(name, statement, public - found.keys(), depth)
    return [node for key, node in found.items() if (key in public if public else not key.startswith("_"))]


def _imported(
    name: str, statement: ast.ImportFrom, missing: set[str], depth: int
) -> dict[str, _Function | ast.ClassDef]:
    """The missing names that one import provides; `import *` brings everything that the other module exports."""
    names = {alias.name for alias in statement.names}
    if "*" not in names and not names & missing:
        return {}
    exported = {node.name: node for node in _exported(_source_of(name, statement), depth - 1)}
    return exported if "*" in names else {key: exported[key] for key in names & missing & exported.keys()}


def _source_of(name: str, statement: ast.ImportFrom) -> str:
    """The full name of the module that a module imports from."""
    if not statement.level:
        return statement.module or ""
    path = _path(name)
    package = name.split(".") if path and path.name == "__init__.py" else name.split(".")[:-1]
    return ".".join([*package[: len(package) - statement.level + 1], statement.module or ""]).removesuffix(
        "."
    )


def _is_own(name: str, statement: ast.ImportFrom) -> bool:
    """Whether a module imports from its own package."""
    return bool(statement.level) or (statement.module or "").startswith(name.split(".")[0] + ".")


def _documented(body: Iterable[ast.stmt]) -> Iterator[_Function | ast.ClassDef]:
    for node in body:
        if isinstance(node, _Function | ast.ClassDef) and _docstring(node):
            yield node


def _docstring(node: _Function | ast.ClassDef) -> str:
    """A class without a docstring is documented by its constructor."""
    doc = ast.get_docstring(node) or ""
    if not doc and (constructor := _constructor(node)):
        doc = ast.get_docstring(constructor) or ""
    return doc


def _constructor(node: ast.stmt) -> _Function | None:
    items = node.body if isinstance(node, ast.ClassDef) else []
    return next((item for item in items if isinstance(item, _Function) and item.name == "__init__"), None)


def _all_names(tree: ast.Module) -> set[str]:
    """The names in __all__ as far as they are written out."""
    names: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AugAssign):
            targets = [statement.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            names |= {
                node.value
                for node in ast.walk(statement.value)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    return names


def _class(node: ast.ClassDef) -> ClassDoc:
    methods = [item for item in _documented(node.body) if isinstance(item, _Function)]
    public = (_function(item) for item in methods if not item.name.startswith("_") and not _is_setter(item))
    constructor = _constructor(node)
    signature = _source_signature(constructor) if constructor else ""
    return ClassDoc(node.name, signature, _docstring(node), tuple(sorted(public, key=_by_name)))


def _is_setter(node: _Function) -> bool:
    return any(
        isinstance(item, ast.Attribute) and item.attr in ("setter", "deleter") for item in node.decorator_list
    )


def _function(node: _Function) -> FunctionDoc:
    return FunctionDoc(node.name, _source_signature(node), ast.get_docstring(node) or "")


def _source_signature(node: _Function) -> str:
    arguments = [item for item in ast.unparse(node.args).split(", ") if item != "/"]
    if arguments and arguments[0] in ("self", "cls"):
        arguments = arguments[1:]
    return _bounded(f"({', '.join(arguments)})")


# --- members of a module that was imported ----------------------------------------------------------------------


def _live_members(module: ModuleType) -> list[Any]:
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    members = {name: getattr(module, name, None) for name in names}
    # A name that refers to something else (an alias, a constant, another module's) is not documented here.
    return [
        member
        for name, member in members.items()
        if (inspect.isroutine(member) or inspect.isclass(member))
        and member.__name__ == name
        and not (inspect.isclass(member) and issubclass(member, BaseException))
    ]


def _live_class(member: type) -> ClassDoc:
    methods = (
        _live_function(name, getattr(member, name))
        for name, value in vars(member).items()
        if not name.startswith("_") and inspect.isroutine(value) and inspect.getdoc(value)
    )
    doc = inspect.cleandoc(member.__doc__ or "")
    return ClassDoc(member.__name__, _live_signature(member), doc, tuple(sorted(methods, key=_by_name)))


def _live_function(name: str, member: Any) -> FunctionDoc:
    return FunctionDoc(name, _live_signature(member), inspect.cleandoc(member.__doc__ or ""))


def _live_signature(member: Any) -> str:
    """As C code writes it down (inspect would evaluate it), else as inspect finds it."""
    try:
        signature = getattr(member, "__text_signature__", None) or str(inspect.signature(member))
    except (ValueError, TypeError):
        return ""
    signature = _ADDRESS.sub("...", signature)
    signature = _FIRST_ARGUMENT.sub("(", signature, count=1).replace("/, ", "").replace(", /)", ")")
    return _bounded(signature.replace("(/)", "()"))


def _bounded(signature: str) -> str:
    if len(signature) <= _MAX_SIGNATURE:
        return signature
    return signature[:_MAX_SIGNATURE].rpartition(", ")[0] + ", …)"
