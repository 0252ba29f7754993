"""Articles from a folder of Markdown files: front matter gives title and slug, the rest of it becomes metadata."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from articles import limits, slugs
from articles.importing import files, front_matter
from articles.importing.encodings import encoding_of
from articles.importing.entries import MAX_ENTRY_BYTES, Entry, RefusedEntry, Row, Source, SourceUnreadable
from articles.importing.yaml_values import FrontMatterError
from articles.pages.markdown_blocks import heading_of
from lib.regular_files import Folder, Listed

_SUFFIXES = (".md", ".markdown")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_BETWEEN_WORDS = re.compile(r"[-_\s]+")


def open_markdown(
    path: str, *, follow_links: bool = False, encoding: str | None = None, id_field: str | None = None
) -> Source:
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
    return Source(path, read_markdown(folder, listed, encoding, id_field), len(listed))


def read_markdown(
    folder: Folder, listed: list[Listed], encoding: str | None = None, id_field: str | None = None
) -> Iterator[Entry]:
    """One entry a file, in the order given; a file's place is its path below the folder, which is closed at the end.
    Its identity is that path, or what its front matter has under `id_field`."""
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
                yield _entry(path, data, number, encoding, id_field)


def heading(text: str) -> str | None:
    """The first level-one heading, or None; what looks like one inside a code block is none."""
    fence = ""
    for line in text.splitlines():
        if mark := _FENCE.match(line):
            fence = "" if fence == mark[1] else fence or mark[1]
        elif not fence and (found := heading_of(line)) and found[0] == 1:
            return found[1]
    return None


def _entry(place: str, data: bytes, position: int, encoding: str | None, id_field: str | None) -> Entry:
    if len(data) > MAX_ENTRY_BYTES:
        return files.too_long(place, "the file", position)
    text = files.decoded(data.removeprefix(codecs.BOM_UTF8), place, position, encoding or encoding_of(data))
    if isinstance(text, RefusedEntry):
        return text
    try:
        front, content = front_matter.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    except FrontMatterError as error:
        return RefusedEntry(place, str(error), position)
    given = front.get(id_field) if id_field else None
    path = f"id:{given}" if isinstance(given, str | int) and given != "" else place
    title = _title(front.pop("title", None), content, Path(place).stem)
    fields = {"title": title, "content": content, "metadata": front}
    if slug := _take_slug(front):
        fields["slug"] = slug
    return Row(place, fields, position, path=path.encode(errors="backslashreplace").decode())


def _title(given: Any, content: str, stem: str) -> Any:
    """The title that was given, else the first heading, else the file's name; on one line."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        given = str(given)
    if given and not isinstance(given, str):
        return given  # refused with its type
    if title := " ".join((given or "").split()):
        return title
    title = " ".join((heading(content) or "").split()) or _words(stem)
    return title if len(title) <= limits.MAX_TITLE else f"{title[: limits.MAX_TITLE - 1]}…"


def _take_slug(front: dict[str, Any]) -> str:
    """The address that the author gave, as a slug: `slug`, `permalink` or `url` of Hugo, Jekyll, Obsidian and the like.
    What is not a slug as it is stays in the metadata, too."""
    slug = ""
    if front.get("slug", "given") in (None, ""):
        del front["slug"]
    for name in ("slug", "permalink", "url"):
        if isinstance(given := front.get(name), str):
            slug = slug or slugs.from_address(given)
            if name == "slug" and given == slug:
                del front[name]
    return slug


def _words(stem: str) -> str:
    words = _BETWEEN_WORDS.sub(" ", stem).strip()
    return words[:1].upper() + words[1:]
