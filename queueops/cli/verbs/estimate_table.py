"""Tables of an analysis: numbers with units, and their basis."""

from collections.abc import Iterable

from rich.console import RenderableType

from lib.durations import age
from queueops.cli.frame.tables import Rows, facts, line, table
from queueops.operate.backfill.estimation import CorpusReading, Estimate

_HEADS = ("space", "articles", "up to date", "behind", "without", "tasks pending", "failed")


def corpus_table(spaces: Iterable[CorpusReading]) -> Rows:
    """One row per space."""
    rows = [
        [
            f"{each.name}{' (serving)' if each.serves else ''}",
            *(
                f"{n:,}"
                for n in (each.articles, each.current, each.behind, each.without, each.waiting, each.failed)
            ),
        ]
        for each in spaces
    ]
    return table(_HEADS, rows, right=_HEADS[1:])


def estimate(found: Estimate) -> list[RenderableType]:
    """The estimate and the sample it is based on."""
    where = f"space {found.space}" if found.space else "the new space"
    basis = "all articles" if found.sampled == found.articles else f"a sample of {found.sampled:,}"
    return [
        line(f"Estimate for {found.articles:,} articles in {where} (from {basis}):"),
        facts(
            [
                ("tokens", f"{found.tokens:,} in {found.chunks:,} chunks"),
                ("requests", f"{found.requests:,}"),
                ("cost", _cost(found)),
                ("time", _time(found)),
                ("disk", f"{size(found.table_bytes)}, and {size(found.index_bytes)} for the index"),
                (
                    "memory",
                    f"{size(found.index_bytes)} for fast searches; {size(found.build_bytes)} while the index is built",
                ),
            ]
        ),
    ]


def size(count: int) -> str:
    """Bytes in the unit that fits."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _cost(found: Estimate) -> str:
    if found.cost is None or found.price is None:
        return "unknown: no price for this model; set it in EMBEDDING_PRICES, in dollars per million tokens"
    if not found.price:
        return "none: the model runs on your own machine"
    return f"${found.cost:,.2f} at ${found.price:g} per million tokens"


def _time(found: Estimate) -> str:
    if found.seconds is None:
        return "unknown: no batch has been measured yet"
    measured = f"{found.per_second:,.1f} chunks per second, measured over {found.batches_measured:,} batches"
    return f"{age(found.seconds)} at {measured}"
