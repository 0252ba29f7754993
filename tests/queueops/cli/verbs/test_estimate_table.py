"""How an analysis looks to people."""

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from queueops.cli.verbs import estimate_table
from queueops.cli.verbs.estimate_table import size
from queueops.operate.backfill.estimation import CorpusReading, Estimate


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (3 * 1024**4, "3.0 TiB")]
)
def test_bytes_are_shown_in_the_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text


FOUND = Estimate(
    space=7, articles=1_000, sampled=1_000, chunks=2_000, tokens=300_000, requests=40, price=0.02, cost=0.006,
    per_second=10.0, batches_measured=3, seconds=200.0, table_bytes=2_048, index_bytes=3 * 1024**2, build_bytes=512,
)  # fmt: skip


def printed(**changes: object) -> str:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    with console.capture() as captured:
        for part in estimate_table.estimate(replace(FOUND, **changes)):  # type: ignore[arg-type]
            console.print(part)
    return captured.get()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            [
                "1,000 articles",
                "space 7",
                "all articles",
                "300,000 in 2,000 chunks",
                "2.0 KiB",
                "3.0 MiB",
                "512 bytes",
            ],
        ),
        ({"sampled": 10}, ["a sample of 10"]),
        ({}, ["$0.01 at $0.02"]),
        ({"price": 1_000.0, "cost": 1_234.5}, ["$1,234.50 at $1000"]),
        ({"price": 0.0, "cost": 0.0}, ["none"]),
        ({"price": None, "cost": None}, ["unknown", "EMBEDDING_PRICES"]),
        ({}, ["3 min at 10.0 chunks", "3 batches"]),
        ({"seconds": None, "per_second": None}, ["unknown: no batch"]),
    ],
)
def test_an_estimate_names_its_figures_with_their_units_and_their_basis(
    changes: dict[str, Any], words: list[str]
) -> None:
    said = printed(**changes)
    assert [word for word in words if word not in said] == []


def test_each_space_has_a_row_and_the_serving_one_says_so() -> None:
    spaces = [
        CorpusReading(1, "openai/a v1", True, 12_345, 12_000, 300, 45, 7, 1),
        CorpusReading(2, "openai/b v2", False, 12_345, 0, 0, 12_345, 0, 0),
    ]
    console = Console(file=io.StringIO(), width=200, color_system=None)
    with console.capture() as captured:
        console.print(estimate_table.corpus_table(spaces))
    _, first, second = captured.get().splitlines()
    assert first.split() == ["openai/a", "v1", "(serving)", "12,345", "12,000", "300", "45", "7", "1"]
    assert second.split() == ["openai/b", "v2", "12,345", "0", "0", "12,345", "0", "0"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 bytes"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1024.0 KiB"),
        (1024**3, "1.0 GiB"),
        (2**63, "8388608.0 TiB"),
    ],
)
def test_a_size_at_the_edge_of_its_unit_is_shown(count: int, text: str) -> None:
    assert size(count) == text
