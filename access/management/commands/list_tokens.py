"""manage.py list_tokens: lists API tokens with their state, without their secrets."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from access.management import options as shared
from access.models import EXPIRING_DAYS, ApiToken, State
from lib.manage_command import manage

_HEADS = ("ID", "NAME", "SCOPES", "STATE", "ENDS", "LAST USED", "FROM", "CREATED BY")


class Command(BaseCommand):
    help = (
        f"Lists usable API tokens; an 'expiring' token ends within {EXPIRING_DAYS} days. "
        "A token's text is not stored, so it cannot be shown."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="list revoked and expired tokens too")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        rows = ApiToken.objects.all() if options["all"] else ApiToken.objects.usable()
        tokens: list[Any] = list(rows.with_state().order_by("-id"))
        if options["json"]:
            self.stdout.write(json.dumps({"tokens": [_as_dict(token) for token in tokens]}))
            return
        lines = [_HEADS, *[_cells(token) for token in tokens]]
        widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS))]
        for line in lines:
            padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
            self.stdout.write("  ".join(padded).rstrip())
        if ending := [token for token in tokens if token.state == State.EXPIRING]:
            self.stderr.write(
                f"{len(ending)} will end within {EXPIRING_DAYS} days. Replace with: {manage('rotate_token ID')}"
            )


def _as_dict(token: Any) -> dict[str, Any]:
    times = ("created_at", "expires_at", "last_used_at", "revoked_at")
    texts = ("prefix", "name", "scopes", "state", "allow_from", "created_by")
    shown_fields = {name: getattr(token, name) for name in texts}
    return shown_fields | {name: (when := getattr(token, name)) and when.isoformat() for name in times}


def _cells(token: Any) -> tuple[str, ...]:
    return (
        token.prefix,
        shared.visible(token.name),
        ",".join(token.scopes),
        token.state,
        shared.moment(token.expires_at, "never"),
        shared.moment(token.last_used_at, "never"),
        ",".join(token.allow_from) or "everywhere",
        shared.visible(token.created_by) or "-",
    )
