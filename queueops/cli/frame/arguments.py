"""Options that many verbs share: the same names, the same meaning."""

import json
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import Any

from queueops.cli.frame.exit_codes import Refused
from queueops.cli.frame.verb import Options
from queueops.models.audit import MAX_REASON
from queueops.monitoring.article_filter import ArticleFilter


def add_reason(parser: Options, *names: str, help: str = "why; kept in the audit log") -> None:
    """`--reason` and its other names, passed to the verb as `reason`. `needed_reason` refuses an empty one."""
    parser.add_argument(
        "--reason", *names, dest="reason", type=bounded_reason, default="", metavar="WHY", help=help
    )


def bounded_reason(text: str) -> str:
    """The type of an option that is a reason: at most as long as the API takes it."""
    if len(text) > MAX_REASON:
        raise ArgumentTypeError(f"it has {len(text):,} characters: use at most {MAX_REASON}")
    return text


def add_agreement(parser: Options, *, asks: bool = True) -> None:
    """`--yes` (or `--confirm`) and `--dry-run`, passed to the verb as `yes` and `dry_run`; see Console.agree.
    `asks` is False for a verb that never asks and takes them all the same."""
    help = "do not ask" if asks else "no effect: this command never asks"
    parser.add_argument("--yes", "--confirm", dest="yes", action="store_true", help=help)
    parser.add_argument("--dry-run", action="store_true", help="print what would be done; change nothing")


def add_change(parser: Options, *, reason: str = "why; kept in the audit log") -> None:
    """The options of a verb that changes something and never asks; `reason` is the help of --reason."""
    add_reason(parser, help=reason)
    add_agreement(parser, asks=False)


def add_limit(parser: Options, default: int, most: int = 1_000) -> None:
    """`--limit N`, passed to the verb as `limit`."""
    parser.add_argument(
        "--limit",
        type=whole(1, most),
        default=default,
        metavar="N",
        help=f"maximum rows, up to {most:,} (default: {default})",
    )


def add_article_filter(parser: Options) -> None:
    """`--filter`, which may be repeated, passed to the verb as `filters`; see `article_filter`."""
    parser.add_argument(
        "--filter",
        dest="filters",
        type=_article_filter,
        action="append",
        default=[],
        metavar="JSON|SLUG",
        help="only articles whose metadata contains this JSON object, or whose slug starts with this; once for each",
    )


def _article_filter(text: str) -> dict[str, Any] | str:
    """A JSON object is metadata, anything else the start of a slug."""
    if not text.startswith("{"):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentTypeError(f"invalid JSON object {text!r}: {error}") from error
    return dict(found)


def article_filter(filters: Sequence[dict[str, Any] | str], **others: Any) -> ArticleFilter:
    """The filter that `--filter` and `others` make. Raises Refused for two of a kind."""
    objects = [given for given in filters if isinstance(given, dict)]
    slugs = [given for given in filters if isinstance(given, str)]
    if len(objects) > 1 or len(slugs) > 1:
        raise Refused("too many --filter: give at most one for metadata and one for a slug")
    return ArticleFilter(metadata=objects[0] if objects else None, slug=slugs[0] if slugs else "", **others)


def whole(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"invalid number {text!r}: use a whole number from {least:,} to {most:,}")
        return int(text)

    return parse
