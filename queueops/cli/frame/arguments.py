"""Options that many verbs share, under the same names with the same meaning."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any


def add_reason(parser: ArgumentParser, *names: str, help: str = "why; kept in the audit log") -> None:
    """`--reason` and its other names, passed to the verb as `reason`. `needed_reason` refuses an empty one."""
    parser.add_argument("--reason", *names, dest="reason", default="", metavar="WHY", help=help)


def add_agreement(parser: ArgumentParser, *, asks: bool = True) -> None:
    """`--yes` (or `--confirm`) and `--dry-run`, passed to the verb as `yes` and `dry_run`; see Console.agree.
    `asks` is False for a verb that never asks and takes them all the same."""
    help = "do not ask" if asks else "no effect: this command never asks"
    parser.add_argument("--yes", "--confirm", dest="yes", action="store_true", help=help)
    parser.add_argument("--dry-run", action="store_true", help="print what would be done; change nothing")


def add_change(parser: ArgumentParser, *, reason: str = "why; kept in the audit log") -> None:
    """The options of a verb that changes something and never asks; `reason` is the help of --reason."""
    add_reason(parser, help=reason)
    add_agreement(parser, asks=False)


def add_limit(parser: ArgumentParser, default: int, most: int = 1_000) -> None:
    """`--limit N`, given to the verb as `limit`."""
    parser.add_argument(
        "--limit",
        type=whole(1, most),
        default=default,
        metavar="N",
        help=f"how many, {most:,} at most (default: {default})",
    )


def add_article_filter(parser: ArgumentParser) -> None:
    """`--filter`, which may be repeated, given to the verb as `filters`."""
    parser.add_argument(
        "--filter",
        dest="filters",
        type=_article_filter,
        action="append",
        default=[],
        metavar="JSON|SLUG",
        help="only articles whose metadata contains this JSON object, or whose slug begins so; both may be given",
    )


def _article_filter(text: str) -> dict[str, Any] | str:
    """A JSON object is metadata, anything else the beginning of a slug."""
    if not text.startswith("{"):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentTypeError(f"{text!r} is no JSON object: {error}") from error
    return dict(found)


def whole(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r} is no whole number from {least:,} to {most:,}")
        return int(text)

    return parse
