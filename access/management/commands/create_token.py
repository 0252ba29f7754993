"""manage.py create_token NAME --scope read --expires 90d: creates an API token and prints it once."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from access import addresses, token_expiry, token_lifecycle
from access.management import options as shared
from access.models import Scope, check_name


class Command(BaseCommand):
    help = "Creates an API token and prints it. It is shown only now and stored as a hash."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="person or program that will use the token")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            help="scope of the token; may be repeated (default: read)",
        )
        parser.add_argument(
            "--expires",
            metavar="WHEN",
            help="90d (also m, h, w), 2030-12-31 or never (default: after API_TOKEN_DAYS)",
        )
        parser.add_argument(
            "--allow-from",
            default="",
            metavar="NETWORKS",
            help="addresses and networks that may use it, separated by commas: 10.0.0.0/8,203.0.113.9 (default: all)",
        )
        shared.add_change(parser)
        shared.add_actor(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        name = options["name"].strip()
        shared.understood(check_name, name)
        expires = options["expires"]
        networks = shared.understood(addresses.read_networks, options["allow_from"].split(","))
        expires_at = (
            shared.understood(token_expiry.read_expires, expires) if expires else token_expiry.by_default()
        )
        scopes, allow_from = sorted(set(options["scope"] or [Scope.READ.value])), list(map(str, networks))
        fields = {
            "dry_run": options["dry_run"],
            "name": name,
            "token": None,
            "scopes": scopes,
            "allow_from": allow_from,
            "expires_at": None,
        }
        if options["dry_run"]:
            would = f"This would create the token '{shared.visible(name)}'. Nothing was changed."
            self.stdout.write(json.dumps(fields) if options["json"] else would)
            return
        row, text = token_lifecycle.issue(
            name,
            scopes,
            actor=shared.actor(options),
            expires_at=expires_at,
            allow_from=allow_from,
            reason=options["reason"],
        )
        if options["json"]:
            ends = row.expires_at and row.expires_at.isoformat()
            self.stdout.write(json.dumps(fields | {"token": text, "expires_at": ends}))
            return
        places = f" from {', '.join(row.allow_from)}" if row.allow_from else ""
        ends = f"until {shared.moment(row.expires_at, 'it is revoked')}"
        self.stdout.write(text)
        self.stderr.write(
            f"The token '{shared.visible(name)}' may {', '.join(row.scopes)}{places} {ends}. It is not shown again."
        )
