"""The verb that reads the audit log."""

import pytest

from queueops.models import AuditLog
from tests.queueops.cli_runner import queue_admin

pytestmark = pytest.mark.django_db


def test_the_audit_log_is_read_by_operator_and_by_operation() -> None:
    assert queue_admin("audit").out == "No entry matches.\n"
    printed = queue_admin("stop", "--reason=an upgrade", "--actor=ada", "--json").json["operation"]
    shown = queue_admin("audit", "--by=ada").out
    for word in ("operator", "queue stopped", "ada", "an upgrade", printed):
        assert word in shown
    [entry] = queue_admin("audit", f"--operation={printed}", "--json").json["entries"]
    assert (entry["message"], entry["reason"], entry["actor"]) == ("queue stopped", "an upgrade", "ada")
    assert queue_admin("audit", "--by=bob").out == "No entry matches.\n"


def test_a_page_names_the_next_one() -> None:
    for _ in range(3):
        AuditLog.objects.create(category="engine", message="batch settled")
    first = queue_admin("audit", "--limit=2", "--json").json
    assert len(first["entries"]) == 2
    assert queue_admin("audit", "--limit=2").out.endswith(f"More: --after {first['next']}\n")
    assert len(queue_admin("audit", f"--after={first['next']}", "--json").json["entries"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        "--level=loud",
        "--category=x",
        "--event=x",
        "--operation=7",
        "--task=0",
        "--limit=0",
        "--limit=1001",
        "--newer-than=soon",
    ],
)
def test_a_word_that_no_entry_has_is_refused(words: str) -> None:
    assert queue_admin("audit", words).sentence.startswith("Error: argument")


def test_foreign_text_cannot_move_the_cursor() -> None:
    AuditLog.objects.create(category="engine", message="a\x1b[2Jb", actor="x\u202ey")
    shown = queue_admin("audit").out
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
