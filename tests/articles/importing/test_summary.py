"""What an import did, added up."""

import json

from articles.importing.entries import RefusedEntry
from articles.importing.summary import Summary
from articles.importing.writer import BatchResult


def refusals(number: int) -> tuple[RefusedEntry, ...]:
    return tuple(RefusedEntry(f"line {n}", "x") for n in range(number))


def test_an_import_of_nothing_is_all_zeros() -> None:
    assert Summary().as_dict() == {"created": 0, "updated": 0, "unchanged": 0, "refused": 0, "refusals": []}


def test_batches_add_up() -> None:
    summary = Summary()
    summary.add(BatchResult(created=1_000, updated=2, unchanged=3, refusals=refusals(1)))
    summary.add(BatchResult(created=500, updated=1))
    assert summary.accepted == 1_506
    assert str(summary) == "1,500 created, 3 updated, 3 unchanged, 1 refused"
    assert json.loads(json.dumps(summary.as_dict()))["refusals"] == [{"place": "line 0", "reason": "x"}]


def test_it_keeps_the_first_thousand_refusals_and_counts_them_all() -> None:
    summary = Summary()
    for _ in range(3):
        summary.add(BatchResult(created=1, refusals=refusals(600)))
    kept = summary.as_dict()["refusals"]
    assert (summary.created, summary.refused, len(kept)) == (3, 1_800, 1_000)
    assert kept[599:601] == [{"place": "line 599", "reason": "x"}, {"place": "line 0", "reason": "x"}]
