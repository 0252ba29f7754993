"""Manifests by somebody else: each field is checked before anything is done with it."""

import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from config.backups import manifest, restore
from config.backups.errors import BackupError
from config.backups.server import Server
from tests.config.backups.archives import describe, described, restored, state

pytestmark = [pytest.mark.django_db, pytest.mark.process]
FIELDS = (
    "format", "file", "sha256", "bytes", "kind", "made_at", "database", "server", "migrations", "rows",
)  # fmt: skip
# closes the block that psql once read around the name, and goes on with a command of psql's
ESCAPE = "articles) <> 1 THEN NULL; END IF; END $check$;\n\\! {}\nDO $check$ BEGIN IF (SELECT count(*) FROM articles"


def hostile(command: str) -> list[Any]:
    """Values that a careless reader would run, follow, or fall over."""
    return [
        f"\\! {command}", f"x\n\\! {command}\n", ESCAPE.format(command), f"\\copy articles to program '{command}'",
        f"articles; COPY (SELECT 1) TO PROGRAM '{command}'; --", f"$({command})", f"`{command}`",
        "'", '"', "''; DROP TABLE articles; --", 'articles"; DROP TABLE articles; --', "$$", "$check$", "%s", "{name}",
        "articles\x00", "\x1b[2J", "\u202earticles", "\ud800", "../../articles", "-f", "--help", "", " ", "articles ",
        "Artikel-ä", "public.articles", "x" * 300, -1, 1.5, float("nan"), float("inf"), True, False, None, 2**63,
        10**400, [], {}, ["articles"], {"articles": {"articles": []}},
    ]  # fmt: skip


def restore_or_refuse(of: Server, archive: Path) -> None:
    """Restores as `restore --yes` does; a refusal is one short sentence that a terminal shows as it is."""
    try:
        restored(of, archive)
        said = ""
    except BackupError as error:
        said = str(error)
    assert said.isprintable()
    assert len(said) < 600


@pytest.mark.parametrize("field", FIELDS)
def test_a_hostile_value_in_a_field_runs_nothing_and_changes_nothing(
    copy: Path, target: Server, tmp_path: Path, field: str
) -> None:
    restored(target, copy)
    canary, before, fields = tmp_path / "canary", state(target), described(copy)
    for value in hostile(f"touch {canary}"):
        describe(copy, fields | {field: value})
        if field == "database":  # only shown, so all short printable text is valid
            is_valid = isinstance(value, str) and value.isprintable() and len(value) < 64
            with nullcontext() if is_valid else pytest.raises(BackupError):
                manifest.read(copy)
        else:
            restore_or_refuse(target, copy)
    assert not canary.exists()
    assert state(target) == before


@pytest.mark.parametrize("field", ["rows", "migrations"])
def test_a_hostile_entry_runs_nothing_and_changes_nothing(
    copy: Path, target: Server, tmp_path: Path, field: str
) -> None:
    restored(target, copy)
    canary, before, fields = tmp_path / "canary", state(target), described(copy)
    name, good = next(iter(fields[field].items()))
    for value in hostile(f"touch {canary}"):
        keys = [fields[field] | {value: good}] if isinstance(value, str) else []
        for entries in (fields[field] | {name: value}, *keys):
            describe(copy, fields | {field: entries})
            restore_or_refuse(target, copy)
    assert not canary.exists()
    assert state(target) == before


REFUSED = [
    ({"format": True}, "format is True, expected 1"),
    ({"format": 2}, "is of format 2, and this version reads format 1"),
    ({"file": "other.dump"}, r"file is 'other.dump', expected '.*-whole-.*\.dump'"),
    ({"sha256": "A" * 64}, "sha256 is 'A+.*', expected 64 hexadecimal digits"),
    ({"bytes": True}, "bytes is True, expected a positive whole number"),
    ({"bytes": 10.0}, "bytes is 10.0, expected a positive whole number"),
    ({"kind": "half"}, "kind is 'half', expected whole or queue"),
    ({"kind": ["whole"]}, r"kind is \['whole'\], expected whole or queue"),
    ({"made_at": "yesterday"}, "made_at is 'yesterday', expected a time with its zone"),
    ({"made_at": "2026-01-31T12:00:00"}, "made_at is '2026-01-31T12:00:00', expected a time with its zone"),
    ({"made_at": "2026-13-31T12:00:00+00:00"}, "expected a time with its zone"),
    ({"database": "a\nb"}, r"database is 'a\\nb', expected at most 63 printable characters"),
    ({"server": 100}, "server is 100, expected a major version of Postgres, 9 to 99"),
    ({"rows": []}, r"rows is \[\], expected an object of 1 to 10,000 entries"),
    ({"rows": {}}, r"rows is {}, expected an object of 1 to 10,000 entries"),
    ({"rows": {"a b": 1}}, "a key of rows is 'a b', expected a table's name"),
    ({"rows": {"articles": "1"}}, r"rows\['articles'\] is '1', expected a whole number that is not negative"),
    ({"rows": {"articles": 2**63}}, "expected a whole number that is not negative"),
    ({"rows": {"x" * 64: 1}}, "expected a table's name: 1 to 63 of the characters"),
    ({"rows": {f"t{n}": 1 for n in range(10_001)}}, "expected an object of 1 to 10,000 entries"),
    ({"kind": "queue", "rows": {"articles": 1}}, "a key of rows is 'articles', expected a table of the queue"),
    ({"migrations": {"a b": "0001"}}, "a key of migrations is 'a b', expected the label of an app"),
    ({"migrations": {"queueops": "-0001"}}, r"migrations\['queueops'\] is '-0001', expected the name of a"),
    ({"more": 1}, "has the unknown field 'more'; expected format, "),
]  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), REFUSED)
def test_a_refusal_names_the_field_its_value_and_what_was_expected(
    copy: Path, change: dict[str, Any], sentence: str
) -> None:
    describe(copy, described(copy) | change)
    with pytest.raises(BackupError, match=sentence):
        manifest.read(copy)


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_named(copy: Path, field: str) -> None:
    fields = described(copy)
    del fields[field]
    describe(copy, fields)
    expected = "is of format None" if field == "format" else f"lacks the field {field}; expected "
    with pytest.raises(BackupError, match=expected):
        manifest.read(copy)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"rows": "' + b"x" * 10_000_000 + b'"}', "is larger than 1,048,576 bytes"),
        (b"[" * 500_000, "is not valid JSON"),
        (b'{"format": ' + b"1" * 5_000 + b"}", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"", "is not valid JSON"),
        (b"null", "expected a JSON object"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused_in_one_sentence(
    copy: Path, content: bytes, sentence: str
) -> None:
    manifest.beside(copy).write_bytes(content)
    with pytest.raises(BackupError, match=sentence):
        manifest.read(copy)


def test_an_unknown_plain_table_of_another_version_does_not_prevent_it(copy: Path) -> None:
    fields = described(copy)
    describe(copy, fields | {"rows": fields["rows"] | {"Later_2": 0}})
    assert manifest.read(copy).rows["Later_2"] == 0


def test_files_that_are_not_regular_are_refused_at_once(copy: Path, target: Server, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.dump"
    os.mkfifo(pipe)
    for named in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(BackupError, match="is not a regular file"):
            restore.plan(target, named)
    place = manifest.beside(copy)
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(BackupError, match="is not a regular file"):
        restore.plan(target, copy)


def test_a_link_is_followed_only_where_the_operator_named_it(
    copy: Path, target: Server, tmp_path: Path
) -> None:
    link = tmp_path / "latest.dump"
    link.symlink_to(copy)
    assert restore.plan(target, link).archive == copy.resolve()
    circle = tmp_path / "circle.dump"
    circle.symlink_to(circle)
    with pytest.raises(BackupError, match="there is no file"):
        restore.plan(target, circle)
    place = manifest.beside(copy)
    place.rename(tmp_path / "elsewhere.json")
    place.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(BackupError, match="is not a regular file"):
        restore.plan(target, copy)


def test_a_file_that_changes_after_it_was_checked_is_refused(copy: Path, target: Server) -> None:
    planned = restore.plan(target, copy)
    other = copy.with_name("other")
    shutil.copy(copy, other)
    other.replace(copy)
    with pytest.raises(BackupError, match=r"nothing was changed: .* has changed since it was checked"):
        restore.restore(target, planned)


def test_a_manifest_replaces_a_link_in_its_place_and_does_not_follow_it(copy: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    described_by = manifest.read(copy)
    for name in (".json", ".json.partial"):
        place = copy.with_name(copy.name + name)
        place.unlink(missing_ok=True)
        place.symlink_to(victim)
        described_by.write(copy)
        assert victim.read_text() == "untouched"
        assert manifest.read(copy) == described_by
        assert json.loads(manifest.beside(copy).read_text())["file"] == copy.name
