"""What the commands about tokens have in common: who runs them, which token is meant, and how it is shown."""

import getpass
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from access.models import ApiToken
from lib.visible import visible as visible

_MOST_ACTOR = 150


def add_actor(parser: ArgumentParser) -> None:
    """--actor, as the commands of the queue have it."""
    parser.add_argument(
        "--actor",
        default="",
        metavar="NAME",
        help="who does it, for the audit log (default: who is logged in)",
    )


def actor(options: dict[str, Any]) -> str:
    """Who runs the command."""
    if given := options["actor"].strip():
        return str(given)[:_MOST_ACTOR]
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, and none for this user's number
        return "command line"


def understood[T](read: Callable[[str], T], text: str) -> T:
    """What a reader makes of an option. Raises CommandError with the reader's sentence."""
    try:
        return read(text)
    except ValidationError as error:
        raise CommandError(visible(str(error.message))) from None
    except ValueError as error:
        raise CommandError(visible(str(error))) from None


def add_token(parser: ArgumentParser) -> None:
    """The token that is meant."""
    parser.add_argument("prefix", help="the 8 characters of the token as list_tokens shows them")


def the_token(prefix: str) -> ApiToken:
    """The token with this prefix, with or without what surrounds it in a token's text. Raises CommandError."""
    wanted = prefix.removeprefix("vp_").partition("_")[0].replace("\x00", "")
    if (row := ApiToken.objects.filter(prefix=wanted).first()) is None:
        raise CommandError(f"no token begins with {wanted[:20]!r}; list_tokens --all shows all tokens")
    return row


def moment(when: datetime | None, otherwise: str) -> str:
    """A time for people."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else otherwise
