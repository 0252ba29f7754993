"""A file of settings is read as shells and containers write it; an invalid line is named without its text."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env_file
from config.env_file import parsed

PATH = Path("/app/.env")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=value", "value"),
        ("  export NAME = value  ", "value"),
        ("NAME=", ""),
        ("NAME=5000   # milliseconds", "5000"),
        ("NAME=postgresql://ada:pa#s@host/db", "postgresql://ada:pa#s@host/db"),
        ("NAME='a # b' # comment", "a # b"),
        (r'NAME="a \"b\"\nc"', 'a "b"\nc'),
        ("NAME=$HOME `id` $(id)", "$HOME `id` $(id)"),
        ("NAME=a=b", "a=b"),
        ("NAME=value\r", "value"),
        ("\ufeffNAME=value".removeprefix("\ufeff"), "value"),
        ("NAME=first\n# NAME=second\n\nNAME=last", "last"),
        ("NAME=# only a comment", ""),
    ],
)
def test_a_line_gives_its_value(line: str, value: str) -> None:
    assert parsed(line, PATH) == {"NAME": value}


@pytest.mark.parametrize(
    "line",
    ["s3cret", "NA-ME=s3cret", "=s3cret", "NAME='s3cret", 'NAME="s3cret" more', "NAME=s3cret\0", "1A=s3cret"],
)
def test_a_line_that_cannot_be_read_is_named_and_not_repeated(line: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        parsed(f"OTHER=1\n{line}\n", PATH)
    assert "/app/.env, line 2, cannot be read" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_missing_file_is_empty_unless_it_was_named(tmp_path: Path) -> None:
    assert env_file.read(tmp_path / ".env", is_needed=False) == env_file.NO_FILE
    with pytest.raises(ImproperlyConfigured, match="there is no such file"):
        env_file.read(tmp_path / ".env", is_needed=True)


@pytest.mark.parametrize("content", [b"NAME=\xff\xfe", b"NAME=" + b"x" * 300_000])
def test_a_file_that_is_not_text_or_has_no_end_stops_the_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match="cannot be read: "):
        env_file.read(tmp_path / ".env", is_needed=False)


def test_a_folder_in_its_place_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="cannot be read: not a regular file"):
        env_file.read(tmp_path, is_needed=False)


def test_its_permissions_are_known(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("\ufeffNAME=value\n")
    for mode, readable, writable in ((0o600, False, False), (0o644, True, False), (0o666, True, True)):
        path.chmod(mode)
        found = env_file.read(path, is_needed=True)
        assert found.values == {"NAME": "value"}
        assert (found.is_readable_by_all, found.is_writable_by_all) == (readable, writable)
