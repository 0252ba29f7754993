"""YAML as front matter uses it, by the core schema of YAML 1.2: `off`, `y`, dates and times are texts."""

import re
from collections.abc import Callable
from typing import Any

import yaml

MAX_DEPTH = 20
# A number only if JSON writes it the same way: 007, 1.10 and 1e3 are texts, so that no digit is lost.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.(?:[0-9]{0,15}[1-9]|0))?\Z")
_STANDARD = "tag:yaml.org,2002:"
_NULL, _BOOL, _STR = f"{_STANDARD}null", f"{_STANDARD}bool", f"{_STANDARD}str"
_PLAIN_NUMBER = "number"


class FrontMatterError(ValueError):
    """Invalid front matter; the message has the reason."""


class _Loader(yaml.SafeLoader):
    """Makes nodes only; SafeLoader's own rules for plain words are those of YAML 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}


_Loader.add_implicit_resolver(_NULL, re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))
_Loader.add_implicit_resolver(_PLAIN_NUMBER, _NUMBER, list("-0123456789"))


def mapping_of(text: str) -> dict[str, Any]:
    """The names and values of a YAML mapping, as values that JSON has; title and slug are texts. Raises
    FrontMatterError."""
    try:
        _refuse_bombs(text)
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise FrontMatterError(f"front matter is not valid YAML: {error.problem} (line {line:,})") from error
    except yaml.YAMLError as error:
        raise FrontMatterError(f"front matter is not valid YAML: {str(error).splitlines()[0]}") from error
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise FrontMatterError("front matter is not a list of names and values, such as 'title: My article'")
    return _mapping(node, as_written=("title", "slug"))


def as_it_is_written(number: str) -> int | float | str:
    """A number, or its text where the number would be written in another way."""
    if not _NUMBER.match(number):
        return number
    value: int | float = float(number) if "." in number else int(number)
    return value if str(value) == number else number


def _refuse_bombs(text: str) -> None:
    """Stops at excessive nesting or size: an alias can make a few lines stand for
    gigabytes, and the YAML reader takes minutes for some thousand brackets."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise FrontMatterError(f"front matter is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            raise FrontMatterError("front matter uses a YAML alias (*name); write the value out")


def _mapping(node: yaml.MappingNode, as_written: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise FrontMatterError(f"front matter has a name that is not a text (line {_line(key):,})")
        if key.value in found:
            raise FrontMatterError(f"front matter names {key.value[:60]!a} twice (line {_line(key):,})")
        is_text = key.value in as_written and isinstance(value, yaml.ScalarNode) and value.tag != _NULL
        found[key.value] = value.value if is_text else _value(value)
    return found


def _value(node: yaml.Node) -> Any:
    if node.tag not in _READERS:
        raise FrontMatterError(
            f"front matter is not valid YAML: the tag {node.tag[:60]!a} is unknown (line {_line(node):,})"
        )
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    return _READERS[node.tag](node.value)


_READERS: dict[str, Callable[[str], Any]] = {
    _NULL: lambda text: None,
    _BOOL: lambda text: text.lower() == "true",
    _STR: str,
    _PLAIN_NUMBER: as_it_is_written,
    f"{_STANDARD}int": as_it_is_written,
    f"{_STANDARD}float": as_it_is_written,
    f"{_STANDARD}map": str,
    f"{_STANDARD}seq": str,
}


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 2  # the first is that of the opening ---
