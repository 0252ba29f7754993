"""Tasks in a file and back: complete, taken twice without effect, and refused whole when damaged."""

import hashlib
import io
import json
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from articles.models import Article
from queueops import transfer
from queueops.models import AuditLog, Status, Task
from queueops.transfer import Export, FileRefused
from tests.queueops.calling import queue_admin
from tests.queueops.making import make_space, make_tasks

pytestmark = pytest.mark.django_db
COLUMNS = [
    "id", "article_id", "slug", "space_id", "status", "priority", "attempts", "max_attempts", "created_at",
    "scheduled_at", "processed_at", "completed_at", "source_version", "content_hash", "outcome", "error_class",
    "error_message", "metadata",
]  # fmt: skip


@pytest.fixture
def space():
    return make_space()


@pytest.fixture
def exported(space, tmp_path):
    """A file of one task of each status."""
    for status in Status.values:
        error = {"error_class": "transient", "error_message": "é\u2028\n"} if status == "failed" else {}
        make_tasks(1, space, status, metadata={"reason": "import"}, **error)
    path = tmp_path / "tasks.jsonl"
    called = queue_admin("export", "--output", str(path), "--json")
    assert (called.code, called.json["tasks"], called.json["file"]) == (0, 5, str(path))
    return path


def rows() -> list[tuple[Any, ...]]:
    return list(Task.objects.order_by("id").values_list(*COLUMNS))


def test_what_was_exported_comes_back_as_it_was(exported):
    before = rows()
    Task.objects.exclude(status="processing").delete()
    kept = Task.objects.get()
    called = queue_admin("import", str(exported), "--yes", "--json")
    assert called.code == 0
    assert (called.json["read"], called.json["added"], called.json["present"]) == (5, 4, 1)
    assert rows() == before
    kept.refresh_from_db()
    assert kept.claimed_by == "test"


def test_a_task_that_a_worker_held_waits_again_without_charge(exported):
    Task.objects.all().delete()
    queue_admin("import", str(exported), "--yes")
    held = Task.objects.filter(slug__contains="processing").get()
    assert (held.status, held.attempts, held.claim_token, held.claimed_by) == ("pending", 0, None, "")


def test_importing_twice_adds_nothing(exported):
    Task.objects.all().delete()
    assert queue_admin("import", str(exported), "--yes", "--json").json["added"] == 5
    again = queue_admin("import", str(exported), "--yes", "--json").json
    assert (again["added"], again["present"]) == (0, 5)
    assert Task.objects.count() == 5


def test_an_id_that_another_task_has_is_replaced_and_new_ids_stay_free(exported, space):
    (first, *_) = Task.objects.order_by("id")
    Task.objects.all().delete()
    (other,) = make_tasks(1, space, priority="high")
    Task.objects.filter(pk=other.pk).update(id=first.pk)
    assert queue_admin("import", str(exported), "--yes", "--json").json["added"] == 5
    assert Task.objects.count() == 6
    make_tasks(1, space, priority="low")


def test_what_has_no_place_here_is_left_out_and_counted(exported, space):
    Task.objects.all().delete()
    Article.objects.filter(slug__contains="failed").delete()
    waits = Article.objects.get(slug__contains="pending")
    Task.objects.create(article=waits, space=space, slug=waits.slug, created_at=Now() - timedelta(days=1))
    called = queue_admin("import", str(exported), "--yes")
    assert called.code == 1
    assert called.out.startswith("3 tasks added, 0 were there already")
    assert "1 left out: another task of their article waits already." in called.out
    assert "1 left out: their article is not here." in called.out
    type(space).objects.update(model="another")
    Task.objects.all().delete()
    assert queue_admin("import", str(exported), "--yes", "--json").json["without_space"] == 4


def test_the_import_is_written_down_and_rings(exported, rings):
    Task.objects.all().delete()
    called = queue_admin("import", str(exported), "--yes", "--actor=ada", "--reason=restored", "--json")
    row = AuditLog.objects.get()
    assert (row.actor, row.metadata["reason"], str(row.operation_id)) == (
        "ada",
        "restored",
        called.json["operation"],
    )
    assert row.metadata["scope"]["added"] == 5
    assert rings == [True]


def test_a_dry_run_and_a_missing_yes_import_nothing(exported):
    Task.objects.all().delete()
    assert queue_admin("import", str(exported), "--dry-run").out.startswith(
        "This would import 5 tasks as they were on"
    )
    assert queue_admin("import", str(exported), "--dry-run", "--json").json["read"] == 5
    assert queue_admin("import", str(exported)).code == 3
    assert not Task.objects.exists()


def test_standard_input_and_output_serve_too(exported, monkeypatch):
    said = queue_admin("export").out
    lines = exported.read_text().splitlines()
    assert said.splitlines()[1:-1] == lines[1:-1]  # the first has the time, the last the checksum
    Task.objects.all().delete()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
    assert queue_admin("import", "-", "--yes", "--json").json["added"] == 5


def signed(lines: list[str]) -> bytes:
    """A file with these lines and the checksum that fits."""
    body = "".join(f"{line}\n" for line in lines).encode()
    tail = {"tasks": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(tail).encode() + b"\n"


def changed(line: str, **changes) -> str:
    return json.dumps(json.loads(line) | changes)


DAMAGES = [
    (lambda lines: "\n".join(lines[:-1]).encode() + b"\n", "its last line, with the checksum, is missing"),
    (lambda lines: "\n".join(lines).encode(), "a line has no end"),
    (lambda lines: "\n".join([*lines[:2], *lines[3:]]).encode() + b"\n", "its checksum does not match"),
    (
        lambda lines: "\n".join([lines[0], lines[1].replace("normal", "high"), *lines[2:]]).encode() + b"\n",
        "checksum",
    ),
    (lambda lines: "\n".join([*lines, lines[1]]).encode() + b"\n", "goes on after its last line"),
    (
        lambda lines: signed([changed(lines[0], version=2), *lines[1:-1]]),
        "of version 2; this Vectorpress reads",
    ),
    (lambda lines: signed([changed(lines[0], format="other"), *lines[1:-1]]), "of the format 'other'"),
    (lambda lines: signed([lines[0], changed(lines[1], status="done")]), "line 2 holds no task: status"),
    (lambda lines: signed([lines[0], changed(lines[1], more=1)]), "line 2 holds no task: more"),
    (lambda lines: signed([lines[0], "[1]"]), "line 2 holds no task"),
    (lambda lines: b"", "does not say that this is a file of tasks"),
    (lambda lines: b"\x00\xff\n", "does not say that this is a file of tasks"),
    (lambda lines: b"x" * (1 << 21), "a line has no end"),
]


@pytest.mark.parametrize(("damage", "says"), DAMAGES)
def test_a_damaged_file_is_refused_whole(exported, damage, says):
    Task.objects.all().delete()
    exported.write_bytes(damage(exported.read_text().rstrip("\n").split("\n")))
    called = queue_admin("import", str(exported), "--yes")
    assert called.code == 3
    assert says in called.sentence
    assert called.sentence.endswith("Nothing was imported")
    assert not Task.objects.exists()
    assert not AuditLog.objects.exists()


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    called = queue_admin("import", str(tmp_path / "none"))
    assert (called.code, called.sentence.endswith("No such file or directory")) == (3, True)
    called = queue_admin("export", "--output", str(tmp_path / "none" / "x"))
    assert (called.code, called.sentence.startswith("cannot write")) == (3, True)


def test_many_tasks_go_page_by_page(space, monkeypatch):
    monkeypatch.setattr(transfer, "_PAGE", 3)
    make_tasks(8, space)
    file = io.BytesIO(b"".join(Export()))
    verified = transfer.verify(file)
    assert verified.tasks == 8
    Task.objects.all().delete()
    assert [batch.added for batch in transfer.load(file, verified)] == [3, 3, 2]
    assert Task.objects.count() == 8


def test_a_file_without_tasks_is_a_file():
    assert transfer.verify(io.BytesIO(b"".join(Export()))).tasks == 0
    with pytest.raises(FileRefused):
        transfer.verify(io.BytesIO(b"".join(Export())[:-3]))
