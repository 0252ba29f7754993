"""`manage.py end_blocks NAME --reason …`: removes the sign-in blocks of a name, or with --address of an address."""

from argparse import ArgumentParser
from ipaddress import ip_address
from typing import Any

from redis.exceptions import RedisError

from access import unblocking
from config.account_command import AccountCommand
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused


class Command(AccountCommand):
    name = "end_blocks"
    keys = ("whose", "dry_run", "ended")
    help = (
        "Removes the counted failed sign-ins of a name or an address, and their blocks. Exits with 0, with 2 if Redis "
        "does not answer, or with 3 if refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", default="", help="blocked name")
        parser.add_argument("--address", default="", help="blocked address, for every name")
        super().add_arguments(parser)

    def run(self, console: Console, reason: str, options: dict[str, Any]) -> None:
        name, address = options["name"], options["address"]
        if bool(name) == bool(address):
            raise Refused("give the name of an account, or --address. Nothing was changed")
        try:
            keys = unblocking.of_name(name) if name else unblocking.of_address(_checked(address))
            self._end(console, keys, reason, options)
        except (RedisError, OSError) as error:
            raise Refused(
                f"Redis does not answer ({type(error).__name__}), so each process counts for itself until it restarts. "
                "Nothing was changed",
                Exit.TROUBLE,
            ) from error

    def _end(self, console: Console, keys: list[str], reason: str, options: dict[str, Any]) -> None:
        whose = options["name"] or options["address"]
        fields = {"whose": whose, "dry_run": options["dry_run"], "ended": 0}
        change = f"remove {len(keys)} count{'' if len(keys) == 1 else 's'} of failed attempts of {whose}"
        if not console.agree(change, yes=options["yes"], dry_run=options["dry_run"]):
            console.print_result(fields)
            return
        fields["ended"] = unblocking.end(keys, actor=console.actor, whose=whose, reason=reason)
        console.print_result(fields, f"{whose} is no longer blocked.")


def _checked(address: str) -> str:
    """The address in normal form. Raises Refused for an invalid one."""
    try:
        return str(ip_address(address))
    except ValueError:
        raise Refused(
            f"invalid address {address[:60]!r}: use e.g. 203.0.113.9. Nothing was changed"
        ) from None
