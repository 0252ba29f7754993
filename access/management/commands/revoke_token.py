"""manage.py revoke_token PREFIX: ends an API token for good."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from access import lifecycle
from access.management import options as shared
from access.recent import SECONDS


class Command(BaseCommand):
    help = f"Ends an API token: every process refuses it within {SECONDS:g} s. A revoked token cannot be brought back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        shared.add_token(parser)
        parser.add_argument("--reason", default="", help="why, for the audit log")
        shared.add_actor(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        token = shared.the_token(options["prefix"])
        done = lifecycle.revoke(token, actor=shared.actor(options), reason=options["reason"].strip())
        said = "is revoked" if done else "was revoked before; nothing was changed"
        self.stdout.write(f"{shared.visible(str(token))} {said}.")
