"""Tasks in a file and back: complete, taken twice without effect, and refused whole when damaged."""

import hashlib
import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import Space
from queueops.models import AuditLog, Status, Task
from queueops.operate.transfer import jsonl
from queueops.operate.transfer.file_format import FileRefused
from queueops.operate.transfer.jsonl import Export
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db
COLUMNS = [
    "id",
    "article_id",
    "slug",
    "space_id",
    "status",
    "priority",
    "attempts",
    "max_attempts",
    "created_at",
    "scheduled_at",
    "processed_at",
    "completed_at",
    "source_version",
    "content_hash",
    "outcome",
    "error_class",
    "error_message",
    "metadata",
]
ENDED_BY = "worker-7"  # fmt: skip


@pytest.fixture
def space() -> Space:
    return make_space()


@pytest.fixture
def exported(space: Space, tmp_path: Path) -> Path:
    """A file of one task of each status."""
    for status in Status.values:
        error = {"error_class": "transient", "error_message": "é\u2028\n"} if status == "failed" else {}
        by = {"claimed_by": ENDED_BY} if status == "completed" else {}
        make_tasks(1, space, status, metadata={"reason": "import"}, **error | by)
    path = tmp_path / "tasks.jsonl"
    called = queue_admin("export", "--output", str(path), "--json")
    assert (called.code, called.json["tasks"], called.json["file"]) == (0, 5, str(path))
    return path


def rows() -> list[tuple[Any, ...]]:
    return list(Task.objects.order_by("id").values_list(*COLUMNS))


def test_exported_tasks_are_imported_unchanged(exported: Path) -> None:
    before = rows()
    Task.objects.exclude(status="processing").delete()
    kept = Task.objects.get()
    called = queue_admin("import", str(exported), "--yes", "--json")
    assert called.code == 0
    assert (called.json["read"], called.json["added"], called.json["present"]) == (5, 4, 1)
    assert rows() == before
    kept.refresh_from_db()
    assert kept.claimed_by == "test"
    assert Task.objects.get(status="completed").claimed_by == ENDED_BY


def test_a_task_that_a_worker_held_waits_again_without_charge(exported: Path) -> None:
    Task.objects.all().delete()
    queue_admin("import", str(exported), "--yes")
    held = Task.objects.filter(slug__contains="processing").get()
    assert (held.status, held.attempts, held.claim_token, held.claimed_by) == ("pending", 0, None, "")


def test_importing_twice_adds_nothing(exported: Path) -> None:
    Task.objects.all().delete()
    assert queue_admin("import", str(exported), "--yes", "--json").json["added"] == 5
    again = queue_admin("import", str(exported), "--yes", "--json").json
    assert (again["added"], again["present"]) == (0, 5)
    assert Task.objects.count() == 5


def test_an_id_that_another_task_has_is_replaced_and_new_ids_stay_free(exported: Path, space: Space) -> None:
    (first, *_) = Task.objects.order_by("id")
    Task.objects.all().delete()
    (other,) = make_tasks(1, space, priority="high")
    Task.objects.filter(pk=other.pk).update(id=first.pk)
    assert queue_admin("import", str(exported), "--yes", "--json").json["added"] == 5
    assert Task.objects.count() == 6
    make_tasks(1, space, priority="low")


def test_what_has_no_place_here_is_left_out_and_counted(exported: Path, space: Space) -> None:
    Task.objects.all().delete()
    Article.objects.filter(slug__contains="failed").delete()
    waits = Article.objects.get(slug__contains="pending")
    Task.objects.create(article=waits, space=space, slug=waits.slug, created_at=Now() - timedelta(days=1))
    called = queue_admin("import", str(exported), "--yes")
    assert called.code == 1
    assert called.out.startswith("3 tasks added, 0 already present")
    assert "1 skipped: another task of their article is pending." in called.out
    assert "1 skipped: their article does not exist here." in called.out
    type(space).objects.update(model="another")
    Task.objects.all().delete()
    assert queue_admin("import", str(exported), "--yes", "--json").json["without_space"] == 4


def test_the_import_is_written_down_and_rings(exported: Path, rings: list[bool]) -> None:
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


def test_a_dry_run_and_a_missing_yes_import_nothing(exported: Path) -> None:
    Task.objects.all().delete()
    said = queue_admin("import", str(exported), "--dry-run").out
    assert said.startswith("This would import 5 tasks as of")
    assert "5 added, 0 already present, 0 skipped" in said
    assert queue_admin("import", str(exported), "--dry-run", "--json").json["read"] == 5
    assert queue_admin("import", str(exported)).code == 3
    assert not Task.objects.exists()


def test_a_dry_run_says_what_the_import_then_does(
    exported: Path, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "_PAGE", 1)
    lines = lines_of(exported)
    held = next(line for line in lines if '"processing"' in line)
    waiting_beside_it = changed(held, id=10**6, status="pending", created_at="2026-01-01T00:00:00+00:00")
    exported.write_bytes(signed([*lines[:-1], waiting_beside_it]))
    Task.objects.filter(status__in=["pending", "processing", "completed"]).delete()
    Article.objects.filter(slug__contains="failed").delete()
    waits = Article.objects.get(slug__contains="pending")
    Task.objects.create(article=waits, space=space, slug=waits.slug, created_at=Now() - timedelta(days=1))
    told = queue_admin("import", str(exported), "--dry-run", "--json").json
    assert told["operation"] is None
    done = queue_admin("import", str(exported), "--yes", "--json").json
    figures = {name: done[name] for name in ("read", "added", "present", "waiting", "without_article")}
    assert figures == {"read": 6, "added": 2, "present": 1, "waiting": 2, "without_article": 1}
    assert told | figures == told
    again = queue_admin("import", str(exported), "--dry-run").out
    assert "0 added, 3 already present, 3 skipped" in again


def test_a_dry_run_uses_no_id_up(exported: Path, space: Space) -> None:
    before = next_id()
    queue_admin("import", str(exported), "--dry-run")
    assert next_id() == before + 1


HIGHEST = 2**63 - 1


@pytest.mark.parametrize("id", [HIGHEST, 2**62, 10**12])
def test_an_id_far_past_ours_is_replaced_and_rows_can_still_be_added(
    exported: Path, space: Space, id: int
) -> None:
    lines = lines_of(exported)
    last = changed(lines[-2], id=id)
    exported.write_bytes(signed([*lines[:-2], last]))
    Task.objects.all().delete()
    assert queue_admin("import", str(exported), "--yes", "--json").json["added"] == 5
    assert Task.objects.order_by("-id")[0].id < 10**9
    assert next_id() < 10**9
    make_tasks(1, space, priority="low")


def next_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('embedding_tasks', 'id'))")
        return int(cursor.fetchone()[0])


def lines_of(file: Path) -> list[str]:
    return file.read_text().rstrip("\n").split("\n")


def signed(lines: list[str]) -> bytes:
    """A file with these lines and the checksum that fits."""
    body = "".join(f"{line}\n" for line in lines).encode()
    tail = {"tasks": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(tail).encode() + b"\n"


def changed(line: str, **changes: Any) -> str:
    return json.dumps(json.loads(line) | changes)


DAMAGES = [
    (lambda lines: "\n".join(lines[:-1]).encode() + b"\n", "its last line, with the checksum, is missing"),
    (lambda lines: "\n".join(lines).encode(), "a line is incomplete"),
    (lambda lines: "\n".join([*lines[:2], *lines[3:]]).encode() + b"\n", "its checksum does not match"),
    (
        lambda lines: "\n".join([lines[0], lines[1].replace("normal", "high"), *lines[2:]]).encode() + b"\n",
        "checksum",
    ),
    (lambda lines: "\n".join([*lines, lines[1]]).encode() + b"\n", "continues after its last line"),
    (
        lambda lines: signed([changed(lines[0], version=2), *lines[1:-1]]),
        "of version 2; this Vectorpress reads",
    ),
    (lambda lines: signed([changed(lines[0], format="other"), *lines[1:-1]]), "of the format 'other'"),
    (lambda lines: signed([lines[0], changed(lines[1], status="done")]), "line 2 holds no task: status"),
    (lambda lines: signed([lines[0], changed(lines[1], more=1)]), "line 2 holds no task: more"),
    (lambda lines: signed([lines[0], "[1]"]), "line 2 holds no task"),
    *(
        (lambda lines, name=name, value=value: signed([lines[0], changed(lines[1], **{name: value})]), says)
        for name, value, says in [
            ("content_hash", "nonsense", "line 2 holds no task: content_hash"),
            ("content_hash", "{00000000-0000-0000-0000-000000000000}", "content_hash"),
            ("error_message", "a\x00b", "line 2 holds no task: error_message: holds a NUL character"),
            ("metadata", {"a": [{"b\x00": 1}]}, "line 2 holds no task: metadata: holds a NUL character"),
            ("metadata", {"a": float("nan")}, "the database cannot store a value of lines 2 to 2"),
            ("metadata", None, "line 2 holds no task: metadata"),
            ("created_at", 1_700_000_000, "line 2 holds no task: created_at"),
            ("created_at", "1700000000", "line 2 holds no task: created_at"),
            ("created_at", "2026-01-01T00:00:00", "line 2 holds no task: created_at"),
            ("created_at", "2026-02-30T00:00:00Z", "line 2 holds no task: created_at"),
            ("attempts", 1.0, "line 2 holds no task: attempts"),
            ("slug", "x" * 201, "line 2 holds no task: slug"),
            ("id", 2**63, "line 2 holds no task: id"),
        ]
    ),
    (lambda lines: signed([*lines[:-1], lines[1]]), "line 7 holds no task: id"),
    (lambda lines: b"", "is not the header of a file of tasks"),
    (lambda lines: b"\x00\xff\n", "is not the header of a file of tasks"),
    (lambda lines: b"x" * (1 << 21), "a line is incomplete"),
]


@pytest.mark.parametrize(("damage", "says"), DAMAGES)
def test_a_damaged_file_is_refused_whole(exported: Path, damage: Callable[..., Any], says: str) -> None:
    Task.objects.all().delete()
    exported.write_bytes(damage(lines_of(exported)))
    called = queue_admin("import", str(exported), "--yes")
    assert called.code == 3
    assert says in called.sentence
    assert called.sentence.endswith("Nothing was imported")
    assert not Task.objects.exists()
    assert not AuditLog.objects.exists()


def test_many_tasks_go_page_by_page(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "_PAGE", 3)
    make_tasks(8, space)
    file = io.BytesIO(b"".join(Export()))
    verified = jsonl.verify(file)
    assert verified.tasks == 8
    Task.objects.all().delete()
    assert [batch.added for batch in jsonl.load(file, verified)] == [3, 3, 2]
    assert Task.objects.count() == 8


def test_a_file_without_tasks_is_a_file() -> None:
    assert jsonl.verify(io.BytesIO(b"".join(Export()))).tasks == 0
    with pytest.raises(FileRefused):
        jsonl.verify(io.BytesIO(b"".join(Export())[:-3]))
