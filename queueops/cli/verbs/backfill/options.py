"""What the verbs of a backfill share: the group, the filter of articles, and sentences about what is found."""

from argparse import ArgumentTypeError
from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType

from lib.manage_command import manage
from queueops.cli.frame import arguments
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.cli.verbs import estimate_table
from queueops.monitoring.article_filter import ArticleFilter, Found
from queueops.operate.backfill import estimation

family = VerbGroup("Backfill")


def add_filter(parser: Options) -> None:
    arguments.add_article_filter(parser)
    parser.add_argument("--only-failed", action="store_true", help="only articles whose task failed")
    parser.add_argument("--limit", type=arguments.whole(1, 10**9), metavar="N", help="maximum articles")
    parser.add_argument(
        "--stage",
        type=percent,
        metavar="PERCENT",
        help="this share of all articles, e.g. 10%%; run again for the next share",
    )


def percent(text: str) -> float:
    """The type of an option that is a share: 10% or 10, above 0 and up to 100."""
    try:
        share = float(text.removesuffix("%"))
    except ValueError:
        share = 0.0
    if not 0 < share <= 100:
        raise ArgumentTypeError(f"invalid share {text!r}: use a percentage above 0 and up to 100, e.g. 10%")
    return share


def article_filter(options: dict[str, Any]) -> ArticleFilter:
    return arguments.article_filter(
        options["filters"],
        only_failed=options["only_failed"],
        limit=options["limit"],
        stage=options["stage"],
    )


def missing(found: Found) -> str:
    if not found.articles:
        return "Every matching article is embedded or queued."
    return f"{found.articles:,} {noun(found.articles)} to queue: {manage('embed_migrate run')}"


def parked(articles: int) -> list[RenderableType]:
    if not articles:
        return []
    return [
        line(f"Skipped: {articles:,} {noun(articles)} whose task failed. To queue them, add --only-failed.")
    ]


def estimated(estimates: Iterable[estimation.Estimate]) -> list[RenderableType]:
    return [each for estimate in estimates if estimate.articles for each in estimate_table.estimate(estimate)]


def noun(count: int) -> str:
    return "article" if count == 1 else "articles"
