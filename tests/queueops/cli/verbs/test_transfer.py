"""The verbs export and import: the files they write and read."""

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from queueops.models import Task
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A file of five tasks."""
    make_tasks(5, make_space())
    path = tmp_path / "tasks.jsonl"
    assert queue_admin("export", "--output", str(path)).code == 0
    return path


def test_an_export_is_its_owners_alone_and_replaces_nothing_unasked(exported: Path) -> None:
    assert exported.stat().st_mode & 0o777 == 0o600
    exported.write_text("something of another kind")
    refused = queue_admin("export", "--output", str(exported))
    assert (refused.code, exported.read_text()) == (3, "something of another kind")
    assert "--yes" in refused.sentence
    assert "Nothing was changed" in queue_admin("export", "--output", str(exported), "--dry-run").out
    assert queue_admin("export", "--output", str(exported), "--force").code == 0
    assert exported.read_text().startswith('{"format"')
    assert [each.name for each in exported.parent.iterdir()] == [exported.name]


def test_standard_input_and_output_serve_too(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = queue_admin("export").out
    lines = exported.read_text().splitlines()
    assert said.splitlines()[1:-1] == lines[1:-1]  # the first has the time, the last the checksum
    Task.objects.all().delete()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
    assert queue_admin("import", "-", "--yes", "--json").json["added"] == 5


def test_a_file_that_can_be_read_only_once_serves_too(exported: Path, tmp_path: Path) -> None:
    Task.objects.all().delete()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(exported.read_bytes(),))
    writer.start()
    assert queue_admin("import", str(tmp_path / "pipe"), "--yes", "--json").json["added"] == 5
    writer.join()


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    called = queue_admin("import", str(tmp_path / "none"))
    assert (called.code, called.sentence.endswith("No such file or directory")) == (3, True)
    called = queue_admin("export", "--output", str(tmp_path / "none" / "x"))
    assert (called.code, called.sentence.startswith("cannot write")) == (3, True)
