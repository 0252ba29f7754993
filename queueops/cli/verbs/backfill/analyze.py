"""`embed_migrate analyze`: counts articles and estimates what a backfill takes; changes nothing."""

from typing import Any

from queueops.cli.frame.console import Console
from queueops.cli.frame.tables import line
from queueops.cli.verbs import estimate_table
from queueops.cli.verbs.backfill.options import add_filter, article_filter, estimated, family, missing
from queueops.cli.verbs.backfill.options import parked as parked_lines
from queueops.engine import modes
from queueops.operate.backfill import estimation


@family.verb(
    "analyze",
    "count articles with current, outdated and no vectors; estimate what embedding takes",
    arguments=add_filter,
    keys=("mode", "spaces", "total", "parked", "estimates"),
)
def analyze(console: Console, **options: Any) -> None:
    scope = article_filter(options)
    spaces, found, estimates = estimation.standings(scope), scope.find(), estimation.estimates(scope)
    mode, parked = modes.current(), scope.left_out()
    console.print_result(
        {
            "mode": mode,
            "spaces": spaces,
            "total": found.articles,
            "parked": parked,
            "estimates": estimates,
        },
        line(f"The mode is {mode}."),
        estimate_table.corpus_table(spaces),
        line(missing(found)),
        *parked_lines(parked),
        *estimated(estimates),
    )
