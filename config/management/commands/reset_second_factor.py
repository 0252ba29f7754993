"""`manage.py reset_second_factor NAME --reason …`: for a person without the phone and the recovery codes."""

from argparse import ArgumentParser
from typing import Any

from access import second_factor, sessions
from access.sessions import Session
from config.account_command import AccountCommand, person_named
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Refused


class Command(AccountCommand):
    name = "reset_second_factor"
    keys = ("whose", "dry_run", "is_removed", "sessions_ended")
    help = (
        "Removes the second factor of an account and ends its sessions; the person signs in with the password and sets "
        "up another. Exits with 0, or with 3 if refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="name of the account")
        super().add_arguments(parser)

    def run(self, console: Console, reason: str, options: dict[str, Any]) -> None:
        user = person_named(options["name"])
        whose = user.get_username()
        if not second_factor.has_device(user):
            raise Refused(f"{whose} has no second factor. Nothing was changed")
        fields = {"whose": whose, "dry_run": options["dry_run"], "is_removed": False, "sessions_ended": 0}
        change = f"remove the second factor of {whose} and end their sessions"
        if not console.agree(change, yes=options["yes"], dry_run=options["dry_run"]):
            console.print_result(fields)
            return
        fields["is_removed"] = second_factor.remove(user, name=console.actor, reason=reason)
        fields["sessions_ended"] = sessions.end(Session.objects.of(user), name=console.actor, reason=reason)
        console.print_result(
            fields, f"{whose} signs in with the password alone until they set up a second factor."
        )
