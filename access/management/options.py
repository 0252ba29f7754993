"""Shared by the commands about tokens: the actor, the token, and how it is shown."""

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
from lib.visible import visible as visible

_MOST_ACTOR = 150
_LONGEST_TEXT = 4_096
# Exit codes, as those of the queue's commands (docs/commands.md).
NOT_UNDERSTOOD, REFUSED = 2, 3


def add_actor(parser: ArgumentParser) -> None:
    """--actor, as the commands of the queue have it."""
    parser.add_argument(
        "--actor",
        default="",
        metavar="NAME",
        help="who does it, for the audit log (default: who is logged in)",
    )


def actor(options: dict[str, Any]) -> str:
    """The account that runs the command."""
    if given := options["actor"].strip():
        return str(given)[:_MOST_ACTOR]
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, and none for this user's number
        return "command line"


def understood[T](read: Callable[[str], T], text: str) -> T:
    """An option, parsed. Raises CommandError with the reader's sentence."""
    try:
        return read(text)
    except ValidationError as error:
        raise CommandError(visible(str(error.message)), returncode=NOT_UNDERSTOOD) from None
    except ValueError as error:
        raise CommandError(visible(str(error)), returncode=NOT_UNDERSTOOD) from None


def add_token(parser: ArgumentParser) -> None:
    """The token that is meant."""
    parser.add_argument(
        "token",
        help="its 8 characters as list_tokens shows them, or its whole text; - reads that from standard input, so that "
        "no list of processes or commands shows it",
    )


def the_token(given: str) -> ApiToken:
    """The token with this text or these 8 characters, with or without what surrounds them in a token's text. Raises
    CommandError, which never holds a text that may be a secret."""
    text = (sys.stdin.readline(_LONGEST_TEXT) if given == "-" else given).strip().replace("\x00", "")
    if token_text.fingerprint(text):
        row = ApiToken.objects.with_text(text)
        sentence = "no token has this text"
    else:
        wanted = text.removeprefix("vp_").partition("_")[0]
        row = ApiToken.objects.filter(prefix=wanted).first()
        sentence = f"no token has the id {wanted[:PREFIX_LENGTH]!r}"
    if row is None:
        raise CommandError(f"{sentence}; list_tokens --all shows all tokens", returncode=REFUSED)
    return row


def moment(when: datetime | None, otherwise: str) -> str:
    """A time for people."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else otherwise
