"""manage.py create_token NAME --scope read --scope write: makes an API token and prints it, once."""

import json
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

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
        expires_at = _in_days(options["expires_days"])
        row, text = ApiToken.objects.issue(name, scopes, expires_at)
        if options["json"]:
            ends = expires_at.isoformat() if expires_at else None
            self.stdout.write(json.dumps({"name": name, "token": text, "scopes": scopes, "expires_at": ends}))
            return
        ends_in_words = f"until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else "until it is revoked"
        self.stdout.write(text)
        self.stderr.write(
            f"The token '{row.name}' may {', '.join(scopes)} {ends_in_words}. It is not shown again."
        )


def _in_days(days: int | None) -> datetime | None:
    if days is None:
        return None
    if not 1 <= days <= _MAX_DAYS:
        raise CommandError(f"--expires-days is {days}; it may be 1 to {_MAX_DAYS:,}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        now: datetime = cursor.fetchone()[0]
    return now + timedelta(days=days)
