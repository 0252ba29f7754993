"""The verb reindex: what contradicts itself, and what it answers where there is nothing to do.

What it does to articles and indexes is in operate/backfill/test_reindexing.py.
"""

import pytest

from embeddings.models import Space
from queueops.models import AuditLog, Task
from tests.queueops.cli_runner import called
from tests.queueops.factories import make_space
from tests.queueops.operate.backfill.test_run import make_corpus

pytestmark = pytest.mark.django_db
KEYS = {"dry_run", "index_only", "articles", "tasks", "operation", "estimates", "indexes"}


@pytest.fixture(autouse=True)
def space() -> Space:
    return make_space()


@pytest.mark.parametrize(
    "words",
    [
        ["--index-only", "--filter=old-"],
        ["--accept-recipe", "--filter=old-"],
        ["--filter=old-", "--filter=new-"],
        ['--filter={"a": 1}', '--filter={"b": 1}'],
        ['--filter={"a": 1}', "--filter=old-", "--filter=new-"],
    ],
)
def test_filters_that_contradict_one_another_are_refused_before_anything_is_asked(words: list[str]) -> None:
    make_corpus(2)
    refused = called("reindex", *words, "--yes")
    assert (refused.code, "--filter" in refused.sentence) == (3, True)
    assert not Task.objects.exists()


def test_a_filter_by_metadata_and_one_by_slug_are_taken_together() -> None:
    make_corpus(2, metadata={"kind": "a"})
    make_corpus(2, first=2)
    told = called("reindex", '--filter={"kind": "a"}', "--filter=old-000", "--dry-run", "--json").json
    assert (told["articles"], told["dry_run"]) == (1, True)


@pytest.mark.parametrize("words", [["--filter=none"], ["--index-only"], ["--filter=none", "--dry-run"]])
def test_where_there_is_nothing_to_do_nobody_is_asked_and_the_answer_has_all_its_keys(
    words: list[str],
) -> None:
    make_corpus(1)
    nothing = called("reindex", *words, "--json")
    assert nothing.code == 0
    assert set(nothing.json) == KEYS
    assert (nothing.json["articles"], nothing.json["tasks"], nothing.json["indexes"]) == (0, 0, [])
    assert not AuditLog.objects.exists()


def test_its_reason_is_kept_and_need_not_be_given() -> None:
    make_corpus(1)
    told = called("reindex", "--yes", "--json", "--actor=ada").json
    assert (told["articles"], told["tasks"]) == (1, 1)
    row = AuditLog.objects.filter(operation_id=told["operation"]).first()
    assert row is not None
    assert (row.actor, row.metadata["reason"]) == ("ada", "reindex")
    again = called("reindex", "--yes", "--json", "--reason= another\nmodel ").json
    row = AuditLog.objects.filter(operation_id=again["operation"]).first()
    assert row is not None
    assert row.metadata["reason"] == "another model"
