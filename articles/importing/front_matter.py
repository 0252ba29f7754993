"""Splits a Markdown file into front matter and text: YAML between `---`, TOML between `+++`, or a JSON object."""

import json
import re
import tomllib
from collections.abc import Callable
from datetime import date, time
from typing import Any, NoReturn

from articles.importing import yaml_values
from articles.importing.yaml_values import MAX_DEPTH, FrontMatterError, as_it_is_written

_MAX = 65_536  # characters
_MAX_TOML = 16_384  # its reader takes time with the square of a dotted name
_YAML = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_JSON = re.compile(r'\A\{\s*"[^"\n]*"\s*:')
# The first line of YAML that names something; text after a leading rule does not.
_NAMES_SOMETHING = re.compile(r"\A(?:[\w-]+:(?!//)|[^\s\-*>`#:][^\n]*?:(?:\s|\Z)|\{)")


def split(text: str) -> tuple[dict[str, Any], str]:
    """Front matter, as values that JSON has, and the text below it. Raises FrontMatterError."""
    if (match := _YAML.match(text)) and _is_front_matter(match[1]):
        return _read(yaml_values.mapping_of, match[1], _MAX), text[match.end() :].lstrip("\n")
    if match := _TOML.match(text):
        return _read(_toml, match[1], _MAX_TOML), text[match.end() :].lstrip("\n")
    if _JSON.match(text):
        return _json(text)
    return {}, text


def _is_front_matter(block: str) -> bool:
    """Whether a block between two rules is front matter, and not text between two rules."""
    for line in block.split("\n"):
        if line.strip() and not line.startswith("#"):
            return _NAMES_SOMETHING.match(line) is not None
    return True


def _read(read: Callable[[str], dict[str, Any]], block: str, longest: int) -> dict[str, Any]:
    if len(block) > longest:
        raise FrontMatterError(f"front matter is longer than {longest:,} characters")
    return read(block)


def _toml(block: str) -> dict[str, Any]:
    try:
        return _plain_mapping(tomllib.loads(block, parse_float=as_it_is_written))
    except tomllib.TOMLDecodeError as error:
        raise FrontMatterError(f"front matter is not valid TOML: {error}") from error
    except RecursionError as error:
        raise _too_deep() from error


def _json(text: str) -> tuple[dict[str, Any], str]:
    decoder = json.JSONDecoder(
        object_pairs_hook=_without_doubles,
        parse_float=as_it_is_written,
        parse_int=as_it_is_written,
        parse_constant=_refuse_constant,
    )
    try:
        found, end = decoder.raw_decode(text[:_MAX])
    except json.JSONDecodeError as error:
        if len(text) > _MAX:
            raise FrontMatterError(
                f"front matter is longer than {_MAX:,} characters, or not valid JSON"
            ) from error
        raise FrontMatterError(
            f"front matter is not valid JSON: {error.msg} (line {error.lineno:,})"
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    rest, _, below = text[end:].partition("\n")
    if rest.strip():
        raise FrontMatterError("front matter in JSON must be followed by the end of the line")
    return _plain_mapping(found), below.lstrip("\n")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise FrontMatterError(f"front matter names {name[:60]!a} twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise FrontMatterError(f"front matter is not valid JSON: {name} is not a JSON number")


def _plain_mapping(mapping: dict[str, Any], depth: int = 1) -> dict[str, Any]:
    return {name: _plain(value, depth) for name, value in mapping.items()}


def _plain(value: Any, depth: int) -> Any:
    """Dates and times become their ISO texts, whole numbers of more than 64 bits texts."""
    if depth > MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, dict):
        return _plain_mapping(value, depth + 1)
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    return as_it_is_written(str(value)) if type(value) is int else value


def _too_deep() -> FrontMatterError:
    return FrontMatterError(f"front matter is nested more than {MAX_DEPTH} levels deep")
