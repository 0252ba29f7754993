"""`manage.py revoke_token TOKEN`: revokes an API token."""

from argparse import ArgumentParser
from typing import Any

from access import token_lifecycle
from access.management import options as shared
from access.token_cache import SECONDS
from config.account_command import AccountCommand
from queueops.cli.frame.console import Console


class Command(AccountCommand):
    name = "revoke_token"
    keys = ("token", "name", "dry_run", "is_revoked")
    needs_reason = False
    help = (
        f"Revokes an API token: every process refuses it within {SECONDS:g} s. It cannot be restored. Exits with 0, or "
        "with 3 if refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        shared.add_token(parser)
        super().add_arguments(parser)

    def run(self, console: Console, reason: str, options: dict[str, Any]) -> None:
        token = shared.the_token(options["token"])
        fields = {"token": token.prefix, "name": token.name, "dry_run": options["dry_run"]}
        if token.revoked_at:
            console.print_result(
                fields | {"is_revoked": True}, f"{token} is revoked already; nothing was changed."
            )
            return
        if not console.agree(
            f"revoke {token}; this cannot be undone", yes=options["yes"], dry_run=options["dry_run"]
        ):
            console.print_result(fields | {"is_revoked": False})
            return
        token_lifecycle.revoke(token, actor=console.actor, reason=reason)
        console.print_result(fields | {"is_revoked": True}, f"{token} is revoked.")
