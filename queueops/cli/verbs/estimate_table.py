"""How an analysis looks to people: figures with their units, and what they are based on."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table

from queueops.cli.frame.tables import facts, line, table
from queueops.monitoring.health import age
from queueops.operate.backfill.estimation import CorpusReading, Estimate

_HEADS = ("space", "articles", "up to date", "behind", "without", "tasks waiting", "failed")


def standings(spaces: Iterable[CorpusReading]) -> Table:
    """A row a space."""
    rows = [
        [
            f"{each.name}{' (serves)' if each.serves else ''}",
            *(
                f"{n:,}"
                for n in (each.articles, each.current, each.behind, each.without, each.waiting, each.failed)
            ),
        ]
        for each in spaces
    ]
    return table(_HEADS, rows, right=_HEADS[1:])


def estimate(found: Estimate) -> list[RenderableType]:
    """What it takes, about; and on what sample."""
    basis = "all of them" if found.sampled == found.articles else f"a sample of {found.sampled:,}"
    return [
        line(f"To embed {found.articles:,} articles in space {found.space} takes about (by {basis}):"),
        facts(
            [
                ("tokens", f"{found.tokens:,} in {found.chunks:,} chunks"),
                ("requests", f"{found.requests:,}"),
                ("cost", _cost(found)),
                ("time", _time(found)),
                ("disk", f"{size(found.table_bytes)}, and {size(found.index_bytes)} for the index"),
                (
                    "memory",
                    f"{size(found.index_bytes)} for quick searches; {size(found.build_bytes)} while the index is built",
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
        return (
            "not known: no price for this model; say it in EMBEDDING_PRICES, in dollars for a million tokens"
        )
    if not found.price:
        return "nothing: the model runs on a machine of yours"
    return f"${found.cost:,.2f} at ${found.price:g} for a million tokens"


def _time(found: Estimate) -> str:
    if found.seconds is None:
        return "not known: no batch has been measured yet"
    measured = f"{found.per_second:,.1f} chunks a second, as measured on {found.batches_measured:,} batches"
    return f"{age(found.seconds)} at {measured}"
