"""manage.py create_token NAME --scope read --expires 90d: makes an API token and prints it, once."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from access import addresses, ending, lifecycle
from access.management import options as shared
from access.models import Scope, check_name


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
        parser.add_argument(
            "--expires",
            metavar="WHEN",
            help="90d (also m, h, w), 2030-12-31 or never (default: after API_TOKEN_DAYS)",
        )
        parser.add_argument(
            "--allow-from",
            default="",
            metavar="NETWORKS",
            help="addresses and networks that may use it, parted by commas: 10.0.0.0/8,203.0.113.9 (default: all)",
        )
        shared.add_actor(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        name = options["name"].strip()
        shared.understood(check_name, name)
        expires = options["expires"]
        networks = shared.understood(addresses.read_networks, options["allow_from"].split(","))
        row, text = lifecycle.issue(
            name,
            sorted(set(options["scope"] or [Scope.READ.value])),
            actor=shared.actor(options),
            expires_at=shared.understood(ending.read_expires, expires) if expires else ending.by_default(),
            allow_from=[str(network) for network in networks],
        )
        if options["json"]:
            ends = row.expires_at and row.expires_at.isoformat()
            shown_fields = {"name": name, "token": text, "scopes": row.scopes, "allow_from": row.allow_from}
            self.stdout.write(json.dumps(shown_fields | {"expires_at": ends}))
            return
        places = f" from {', '.join(row.allow_from)}" if row.allow_from else ""
        ends = f"until {shared.moment(row.expires_at, 'it is revoked')}"
        self.stdout.write(text)
        self.stderr.write(
            f"The token '{shared.visible(name)}' may {', '.join(row.scopes)}{places} {ends}. It is not shown again."
        )
