"""`manage.py end_sessions NAME --reason …`: ends the sessions of an account, or with --all of every account."""

from argparse import ArgumentParser
from typing import Any

from access import sessions
from access.sessions import Session
from config.account_command import AccountCommand, person_named
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Refused


class Command(AccountCommand):
    name = "end_sessions"
    keys = ("whose", "dry_run", "ended")
    help = "Ends the sessions of an account, or of all. Exits with 0, or with 3 if refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", default="", help="name of the account")
        parser.add_argument("--all", action="store_true", help="the sessions of every account")
        super().add_arguments(parser)

    def run(self, console: Console, reason: str, options: dict[str, Any]) -> None:
        if bool(options["name"]) == options["all"]:
            raise Refused("give the name of an account, or --all. Nothing was changed")
        rows = Session.objects.all()
        if options["name"]:
            rows = rows.of(person_named(options["name"]))
        whose, count = options["name"] or "everybody", rows.signed_in().count()
        fields = {"whose": whose, "dry_run": options["dry_run"], "ended": 0}
        if not rows.exists():
            console.print_result(
                fields, "There are no sessions." if options["all"] else f"{whose} has no sessions."
            )
            return
        change = f"end {_sessions(count)} of {whose}"
        if not console.agree(change, yes=options["yes"], dry_run=options["dry_run"]):
            console.print_result(fields)
            return
        fields["ended"] = sessions.end(rows, name=console.actor, reason=reason)
        console.print_result(
            fields, f"Ended {_sessions(fields['ended'])} of {whose}. API tokens are not affected."
        )


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"
