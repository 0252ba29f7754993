"""Options that many verbs share, under the same names with the same meaning."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable


def add_reason(
    parser: ArgumentParser, *, required: bool = False, help: str = "kept in the audit log"
) -> None:
    """`--reason`, given to the verb as `reason`."""
    parser.add_argument("--reason", required=required, default="", metavar="WHY", help=help)


def add_agreement(parser: ArgumentParser) -> None:
    """`--yes` (or `--confirm`) and `--dry-run`, given to the verb as `yes` and `dry_run`; see Desk.agree."""
    parser.add_argument("--yes", "--confirm", dest="yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done; change nothing")


def add_limit(parser: ArgumentParser, default: int, most: int = 1_000) -> None:
    """`--limit N`, given to the verb as `limit`."""
    parser.add_argument(
        "--limit",
        type=whole(1, most),
        default=default,
        metavar="N",
        help=f"how many, {most:,} at most (default: {default})",
    )


def whole(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r} is no whole number from {least:,} to {most:,}")
        return int(text)

    return parse
