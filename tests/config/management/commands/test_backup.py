"""`manage.py backup`: where the file is, and what is in it."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from config.backups import manifest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("given", [True, False])
def test_it_prints_the_file_and_its_rows(settings: Settings, tmp_path: Path, given: bool) -> None:
    settings.DATA_DIR = tmp_path / "data"
    (tmp_path / "data").mkdir()
    folder = tmp_path / "own" if given else tmp_path / "data" / "backups"
    out = io.StringIO()
    call_command("backup", "--queue-only", "--json", *(["--to", str(folder)] if given else []), stdout=out)
    reply = json.loads(out.getvalue())
    made = manifest.read(Path(reply["file"]))
    assert Path(reply["file"]).parent == folder
    assert (reply["kind"], reply["rows"], reply["bytes"]) == ("queue", made.rows, made.bytes)
    assert reply["program"].endswith("/pg_dump")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_where_it_cannot_be_written_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError) as failed:
        call_command("backup", "--to", str(tmp_path / "file"), stdout=io.StringIO())
    assert failed.value.returncode == 2
