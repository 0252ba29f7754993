"""manage.py rotate_token TOKEN: creates the successor of an API token and prints it once."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from access import bootstrap, token_expiry, token_lifecycle
from access.management import options as shared
from access.models import ApiToken
from access.token_file import replace_private


class Command(BaseCommand):
    help = (
        "Creates a token with the same name, scopes and allow list, and prints it once. The old token ends after the "
        "overlap. If it is AUTH_TOKEN, the file in DATA_DIR gets the new one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        shared.add_token(parser)
        parser.add_argument(
            "--overlap",
            default="24h",
            metavar="TIME",
            help="how long the old token stays valid: 24h, 7d, 0 (default: 24h)",
        )
        parser.add_argument(
            "--expires",
            metavar="WHEN",
            help="end of the new token (default: the lifetime of the old one)",
        )
        shared.add_change(parser)
        shared.add_actor(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        overlap = shared.understood(token_expiry.read_overlap, options["overlap"])
        given = options["expires"] and shared.understood(token_expiry.read_expires, options["expires"])
        old = shared.the_token(options["token"])
        keep = _writer(old)
        if options["dry_run"]:
            fields = {"dry_run": True, "token": None, "prefix": None, "old_ends_at": None}
            would = (
                f"This would create a successor of {old} and end it after the overlap. Nothing was changed."
            )
            self.stdout.write(json.dumps(fields) if options["json"] else shared.visible(would))
            return
        try:
            new, text = token_lifecycle.rotate(
                old,
                actor=shared.actor(options),
                overlap=overlap,
                expires_at=given if options["expires"] else _same_life(old),
                keep=keep,
                reason=options["reason"],
            )
        except token_lifecycle.TokenEnded as error:
            raise CommandError(shared.visible(str(error)), returncode=shared.REFUSED) from None
        except OSError as error:
            raise CommandError(f"{error}; nothing was changed", returncode=shared.REFUSED) from None
        old.refresh_from_db()
        self._print(old, new, text, as_json=options["json"])

    def _print(self, old: ApiToken, new: ApiToken, text: str, *, as_json: bool) -> None:
        ends = old.expires_at and old.expires_at.isoformat()
        if as_json:
            fields = {"dry_run": False, "token": text, "prefix": new.prefix, "old_ends_at": ends}
            self.stdout.write(json.dumps(fields))
        else:
            self.stdout.write(text)
        last = f"'{shared.visible(old.name)}' ({old.begins_with}) ends at {shared.moment(old.expires_at, '')}"
        self.stderr.write(f"The new token is not shown again. The old one, {last}.")
        if _is_ours(old) and settings.AUTH_TOKEN_FILE:
            self.stderr.write(
                f"{settings.AUTH_TOKEN_FILE} has the new one: restart Vectorpress before the old one ends."
            )
        elif _is_ours(old):
            self.stderr.write(
                "Set AUTH_TOKEN to the new one wherever Vectorpress runs, and restart before the old one ends."
            )


def _is_ours(token: ApiToken) -> bool:
    """Whether it is this installation's AUTH_TOKEN."""
    own = bootstrap.row()
    return own is not None and own.pk == token.pk


def _writer(token: ApiToken) -> Callable[[str], None] | None:
    """Writes the successor to its file. Raises CommandError for the AUTH_TOKEN of another installation."""
    if _is_ours(token):
        return partial(replace_private, settings.AUTH_TOKEN_FILE) if settings.AUTH_TOKEN_FILE else None
    if token.bootstrap_line:
        raise CommandError(
            f"{token} is not the AUTH_TOKEN of this process, so its successor would not be accepted; run this where it "
            "is set, or end it with revoke_token",
            returncode=shared.REFUSED,
        )
    return None


def _same_life(token: ApiToken) -> datetime | Combinable | None:
    """The end that gives the successor the lifetime of the old token; None if that has no end."""
    if token.expires_at is None:
        return None
    life: timedelta = token.expires_at - token.created_at
    return Now() + max(life, timedelta(minutes=1))
