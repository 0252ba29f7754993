"""What vectors take of disk and memory."""

import pytest

from queueops.operate.backfill import sizing


@pytest.mark.parametrize(
    ("dimensions", "a_page"),
    [(384, 4), (768, 2), (1536, 1)],
)
def test_the_index_takes_whole_pages(dimensions: int, a_page: int) -> None:
    assert sizing.index_bytes(dimensions, 100 * a_page) == 100 * 8_192
    assert sizing.index_bytes(dimensions, 1) == 8_192


@pytest.mark.parametrize(
    ("dimensions", "table", "index", "build"), [(384, 2_193, 2_049, 2_249), (1_536, 8_626, 8_196, 6_876)]
)
def test_the_formulas_give_what_was_measured(dimensions: int, table: int, index: int, build: int) -> None:
    # bytes a chunk of some thousand random vectors in Postgres 18 with pgvector 0.8; `build` is when it stopped fitting
    assert sizing.table_bytes(dimensions, 1_000) / 1_000 == pytest.approx(table, rel=0.02)
    assert sizing.index_bytes(dimensions, 1_000) / 1_000 == pytest.approx(index, rel=0.02)
    assert sizing.build_bytes(dimensions, 1_000) / 1_000 == pytest.approx(build, rel=0.02)


def test_wider_vectors_take_more_of_everything() -> None:
    for measure in (sizing.table_bytes, sizing.index_bytes, sizing.build_bytes):
        sizes = [measure(width, 1_000) for width in (8, 384, 768, 1_536, 3_072)]
        assert sizes == sorted(sizes)
        assert measure(384, 0) == 0
