"""`remove_queue` says what it would drop, asks, and changes nothing without a yes."""

import pytest

from config.management.commands import remove_queue
from queueops.models import AuditLog, Task
from tests.queueops.cli_runner import called
from tests.queueops.factories import make_space, make_tasks


@pytest.mark.parametrize(
    ("backup", "behind", "parts"),
    [
        (None, 0, [("a save embeds in its request.",), ("migrate", "; then start the workers.")]),
        (
            "/a b.dump",
            1_200,
            [
                ("1,200 articles are found only by words until they are saved again.",),
                ("migrate", " and their rows: ", "restore '/a b.dump' --yes", "; then start the workers."),
            ],
        ),
    ],
)
def test_the_summary_says_what_works_and_how_to_restore(
    backup: str | None, behind: int, parts: list[tuple[str, ...]]
) -> None:
    for line, words in zip(remove_queue._summary(backup, behind), parts, strict=True):
        assert [word for word in words if word not in line] == []


@pytest.mark.django_db(transaction=True)
def test_a_dry_run_counts_the_rows_and_changes_nothing() -> None:
    make_tasks(3, make_space())
    reply = called("remove_queue", "--dry-run", "--json").json
    assert (reply["rows"]["embedding_tasks"], reply["behind"], reply["backup"]) == (3, 3, None)
    assert (reply["dry_run"], reply["is_removed"]) == (True, False)
    assert (Task.objects.count(), AuditLog.objects.count()) == (3, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("words", "rest"), [([], "after a backup"), (["--no-backup"], "which are lost")])
def test_without_a_yes_nothing_is_changed(words: list[str], rest: str) -> None:
    make_tasks(2, make_space())
    refused = called("remove_queue", *words)
    assert refused.code == 3
    assert "Not a terminal" in refused.sentence
    assert Task.objects.count() == 2
    assert rest in called("remove_queue", "--dry-run", *words).out
