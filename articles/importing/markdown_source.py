"""Articles from a folder of Markdown files: front matter gives title and slug, the rest of it becomes metadata."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from articles.importing import files
from articles.importing.entries import MAX_ENTRY_BYTES, Entry, RefusedEntry, Row, Source, SourceUnreadable
from articles.pages.markdown_blocks import heading_of
from lib.regular_files import Folder, Listed

_SUFFIXES = (".md", ".markdown")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r" {0,3}(```|~~~)")
_BETWEEN_WORDS = re.compile(r"[-_\s]+")
_MAX_FRONT_MATTER = 65_536
_MAX_DEPTH = 20


class FrontMatterError(ValueError):
    """Invalid front matter; the message has the reason."""


def open_markdown(path: str, *, follow_links: bool = False) -> Source:
    """The articles of a folder and the folders below it, hidden ones left out. Raises SourceUnreadable."""
    try:
        folder = Folder(Path(path), follow_links=follow_links)
    except NotADirectoryError as error:
        raise SourceUnreadable(f"cannot read {path}: is a file; give the folder that holds it") from error
    except FileNotFoundError as error:
        raise SourceUnreadable(f"cannot read {path}: there is no such folder") from error
    except OSError as error:
        raise SourceUnreadable(f"cannot read {path}: {error.strerror}") from error
    listed = folder.files(_SUFFIXES)
    return Source(path, read_markdown(folder, listed), len(listed))


def read_markdown(folder: Folder, listed: list[Listed]) -> Iterator[Entry]:
    """One entry a file, in the order given; a file's place is its path below the folder, which is closed at the end."""
    with folder:
        for number, (path, problem) in enumerate(listed, 1):
            if problem:
                yield RefusedEntry(path, problem, number)
                continue
            try:
                with folder.open(path) as stream:
                    data = stream.read(MAX_ENTRY_BYTES + 1)
            except OSError as error:
                yield RefusedEntry(path, f"cannot be read: {error.strerror}", number)
            else:
                yield _entry(path, data, number)


def parse(text: str) -> tuple[dict[str, Any], str]:
    """Front matter and the text below it. Raises FrontMatterError."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    if len(match.group(1)) > _MAX_FRONT_MATTER:
        raise FrontMatterError(f"front matter is longer than {_MAX_FRONT_MATTER:,} characters")
    try:
        return _front_matter(match.group(1)), text[match.end() :].lstrip("\n")
    except FrontMatterError:
        raise
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise FrontMatterError(f"front matter is not valid YAML: {error.problem} (line {line:,})") from error
    except (yaml.YAMLError, ValueError) as error:
        raise FrontMatterError(f"front matter is not valid YAML: {str(error).splitlines()[0]}") from error


def heading(text: str) -> str | None:
    """The first level-one heading, or None; what looks like one inside a code block is none."""
    fence = ""
    for line in text.splitlines():
        if mark := _FENCE.match(line):
            fence = "" if fence == mark[1] else fence or mark[1]
        elif not fence and (found := heading_of(line)) and found[0] == 1:
            return found[1]
    return None


def _entry(place: str, data: bytes, position: int) -> Entry:
    if len(data) > MAX_ENTRY_BYTES:
        return files.too_long(place, "the file", position)
    text = files.decoded(data.removeprefix(b"\xef\xbb\xbf"), place, position)
    if isinstance(text, RefusedEntry):
        return text
    try:
        front, content = parse(text.replace("\r\n", "\n"))
    except FrontMatterError as error:
        return RefusedEntry(place, str(error), position)
    title = front.pop("title", None) or heading(content) or _words(Path(place).stem)
    fields = {"title": title, "content": content, "metadata": front}
    if slug := front.pop("slug", None):
        fields["slug"] = slug
    return Row(place, fields, position)


def _front_matter(text: str) -> dict[str, Any]:
    _refuse_bombs(text)
    loader = yaml.SafeLoader(text)
    node = loader.get_single_node()
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise FrontMatterError("front matter is not a list of names and values, such as 'title: My article'")
    return {str(_plain(loader, key)): _value(loader, key, value) for key, value in node.value}


def _refuse_bombs(text: str) -> None:
    """Stops at excessive nesting or size: an alias can make a few lines stand for
    gigabytes, and the YAML reader takes minutes for some thousand brackets."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise FrontMatterError(f"front matter is nested more than {_MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            raise FrontMatterError("front matter uses a YAML alias (*name); write the value out")


def _value(loader: yaml.SafeLoader, key: yaml.Node, value: yaml.Node) -> Any:
    """Title and slug as they are written ('title: 1984' is a text), everything else as YAML means it."""
    if key.value in ("title", "slug") and isinstance(value, yaml.ScalarNode):
        return "" if value.tag.endswith(":null") else value.value
    return _plain(loader, value)


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    return _json_like(loader.construct_object(node, deep=True))


def _json_like(value: Any) -> Any:
    """Dates become ISO texts and keys become texts; anything else that JSON lacks is left for the bounds to refuse."""
    if isinstance(value, dict):
        return {str(key): _json_like(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_like(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _words(stem: str) -> str:
    words = _BETWEEN_WORDS.sub(" ", stem).strip()
    return words[:1].upper() + words[1:]
