"""`manage.py embed_check`: says whether what Vectorpress promises holds here and now."""

import json
import sys
from collections.abc import Mapping
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, InterfaceError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from queueops import invariants
from queueops.invariants import Breach, Invariant

# Exit codes: 0 says that all holds.
_BROKEN = 1
_CANNOT_CHECK = 2
_ROWS_SHOWN = 3


class Command(BaseCommand):
    help = (
        "Checks this installation. Exits with 0 when all is well, 1 when something is broken, 2 when it cannot be "
        "checked."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        rows = verbs.add_parser(
            "invariants", help="what must hold of the rows of tasks, vectors and audit log"
        )
        rows.add_argument(
            "--at-rest",
            action="store_true",
            help="no work is under way: every text must be embedded or parked",
        )
        rows.add_argument("--json", action="store_true", help="print one JSON object")
        rows.set_defaults(act=self._check_invariants)

    def handle(self, **options: Any) -> None:
        options["act"](options)

    def _check_invariants(self, options: dict[str, Any]) -> None:
        at_rest = options["at_rest"]
        try:
            found = {breach.invariant.name: breach for breach in invariants.broken(at_rest)}
        except (DatabaseError, InterfaceError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise CommandError(f"cannot check: {reason}", returncode=_CANNOT_CHECK) from error
        asked = invariants.asked(at_rest)
        if options["json"]:
            self.stdout.write(_json({"ok": not found, "invariants": [_as_dict(i, found) for i in asked]}))
        elif self.stdout.isatty():
            Console(file=cast(IO[str], self.stdout)).print(_table(asked, found))
        else:
            for invariant in asked:
                self.stdout.write(_line(invariant, found.get(invariant.name)))
        if found:
            sys.exit(_BROKEN)


def _line(invariant: Invariant, breach: Breach | None) -> str:
    if breach is None:
        return f"ok      {invariant.name}"
    return f"broken  {invariant.name}: {breach.count}. {invariant.meaning} {_first_rows(breach)}"


def _table(asked: list[Invariant], found: Mapping[str, Breach]) -> Table:
    table = Table("", "invariant", "rows", "what it means", box=None)
    for invariant in asked:
        if breach := found.get(invariant.name):
            told = Text(f"{invariant.meaning}\n{_first_rows(breach)}")
            table.add_row(Text("broken", "bold red"), invariant.name, breach.count, told)
        else:
            table.add_row(Text("ok", "green"), invariant.name, "", "")
    return table


def _as_dict(invariant: Invariant, found: Mapping[str, Breach]) -> dict[str, Any]:
    breach = found.get(invariant.name)
    rows = breach.rows if breach else []
    return {
        "name": invariant.name,
        "ok": breach is None,
        "meaning": invariant.meaning,
        "rows": rows,
        "more": bool(breach and breach.is_cut),
    }


def _first_rows(breach: Breach) -> str:
    return " ".join(_json(row) for row in breach.rows[:_ROWS_SHOWN])


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder)
