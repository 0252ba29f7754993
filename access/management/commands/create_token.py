"""manage.py create_token NAME --scope read --scope write: makes an API token and prints it, once."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from access.models import ApiToken, Scope

_MAX_DAYS = 36_500


class Command(BaseCommand):
    help = "Makes an API token and prints it. It is shown this once and kept as a hash only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="who or what will use the token")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            help="what the token may do; give it once for each scope (default: read)",
        )
        parser.add_argument("--expires-days", type=int, metavar="N", help="end the token after N days")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not 1 <= len(name) <= ApiToken.NAME_LENGTH or not name.isprintable():
            raise CommandError(f"the name must be 1 to {ApiToken.NAME_LENGTH} printable characters")
        scopes = sorted(set(options["scope"] or [Scope.READ.value]))
        row, text = ApiToken.objects.issue(name, scopes, _in_days(options["expires_days"]))
        if options["json"]:
            ends = row.expires_at and row.expires_at.isoformat()
            self.stdout.write(json.dumps({"name": name, "token": text, "scopes": scopes, "expires_at": ends}))
            return
        ends = f"until {row.expires_at:%Y-%m-%d %H:%M} UTC" if row.expires_at else "until it is revoked"
        self.stdout.write(text)
        self.stderr.write(f"The token '{name}' may {', '.join(scopes)} {ends}. It is not shown again.")


def _in_days(days: int | None) -> Combinable | None:
    if days is None:
        return None
    if not 1 <= days <= _MAX_DAYS:
        raise CommandError(f"--expires-days is {days}; it may be 1 to {_MAX_DAYS:,}")
    return Now() + timedelta(days=days)
