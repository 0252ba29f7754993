"""Options and helpers of the commands for tokens: the actor, the token, and how it is printed."""

import getpass
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from access import token_text
from access.models import ApiToken
from access.token_text import PREFIX_LENGTH
from lib.visible_text import visible as visible

_MOST_ACTOR = 150
_LONGEST_TEXT = 4_096
# The exit codes of docs/commands.md.
NOT_UNDERSTOOD, REFUSED = 2, 3


def add_actor(parser: ArgumentParser) -> None:
    """--actor, as in the commands of the queue."""
    parser.add_argument(
        "--actor",
        default="",
        metavar="NAME",
        help="name for the audit log (default: your login name)",
    )


def add_change(parser: ArgumentParser) -> None:
    """--reason, --yes (or --confirm) and --dry-run, as in the commands of the queue; these commands never ask."""
    parser.add_argument("--reason", default="", metavar="WHY", help="why; kept in the audit log")
    parser.add_argument("--yes", "--confirm", action="store_true", help="no effect: this command never asks")
    parser.add_argument("--dry-run", action="store_true", help="print what would be done; change nothing")


def actor(options: dict[str, Any]) -> str:
    """The name for the audit log."""
    if given := options["actor"].strip():
        return str(given)[:_MOST_ACTOR]
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, and none for this user's number
        return "command line"


def understood[T](read: Callable[[str], T], text: str) -> T:
    """The parsed option. Raises CommandError with the parser's sentence."""
    try:
        return read(text)
    except ValidationError as error:
        raise CommandError(visible(str(error.message)), returncode=NOT_UNDERSTOOD) from None
    except ValueError as error:
        raise CommandError(visible(str(error)), returncode=NOT_UNDERSTOOD) from None


def add_token(parser: ArgumentParser) -> None:
    """The argument for a token."""
    parser.add_argument(
        "token",
        help="id of 8 characters, as list_tokens prints it, or the whole token; - reads it from standard input, so "
        "that no list of processes or commands shows it",
    )


def the_token(given: str) -> ApiToken:
    """The token with this text or id. Raises CommandError, which never contains a text that may be a secret."""
    text = (sys.stdin.readline(_LONGEST_TEXT) if given == "-" else given).strip().replace("\x00", "")
    if token_text.fingerprint(text):
        row = ApiToken.objects.with_text(text)
        sentence = "unknown token"
    else:
        wanted = text.removeprefix("vp_").partition("_")[0]
        row = ApiToken.objects.filter(prefix=wanted).first()
        sentence = f"unknown token id {wanted[:PREFIX_LENGTH]!r}"
    if row is None:
        raise CommandError(f"{sentence}; list_tokens --all lists all tokens", returncode=REFUSED)
    return row


def moment(when: datetime | None, otherwise: str) -> str:
    """A time for people."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else otherwise
