"""`manage.py queue_admin`: what an operator does to the queue from a terminal."""

import getpass
import json
import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, InterfaceError

from queueops import health, providers, snapshot, switches
from queueops.health import Condition
from queueops.operations import ReasonMissing
from queueops.providers import ProviderView

_EXIT_CODES = {Condition.OK: 0, Condition.DEGRADED: 1, Condition.DOWN: 2}
_NO_DATABASE = 2


class Command(BaseCommand):
    help = "Pauses, resumes and judges the queue, and shows or resets what it remembers of its providers."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--actor", default="", help="who does it; you, by default")
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

        def verb(name: str, act: Callable[[dict[str, Any]], None], help: str) -> Any:
            added = verbs.add_parser(name, help=help)
            added.set_defaults(act=act)
            return added

        pause = verb("pause", self._pause, "claim nothing more until resumed")
        pause.add_argument("--reason", required=True, help="kept in the audit log")
        resume = verb("resume", self._resume, "claim again, at once")
        resume.add_argument("--reason", default="", help="kept in the audit log")
        judge = verb("health", self._health, "exits with 0 when all is well, 1 degraded, 2 down")
        judge.add_argument("--json", action="store_true", help="print the whole snapshot as one JSON object")
        breaker = verb("breaker", self._breaker, "how each provider stands: outage, rate limit, budgets")
        breaker.add_argument("--reset", action="store_true", help="forget outages and limits; ask at once")
        breaker.add_argument(
            "--provider", action="append", metavar="NAME", help="only this one; may be repeated"
        )
        breaker.add_argument("--reason", default="", help="kept in the audit log; needed with --reset")
        breaker.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        try:
            options["act"](options | {"actor": options["actor"] or _login_name()})
        except ReasonMissing as error:
            raise CommandError(f"{error}: --reason") from error
        except (DatabaseError, InterfaceError) as error:
            said = str(error).strip().partition("\n")[0]
            raise CommandError(f"the database does not answer: {said}", returncode=_NO_DATABASE) from error

    def _pause(self, options: dict[str, Any]) -> None:
        operation = switches.pause(actor=options["actor"], reason=options["reason"])
        self.stdout.write(f"paused; what is under way ends as usual (operation {operation})")

    def _resume(self, options: dict[str, Any]) -> None:
        operation = switches.resume(actor=options["actor"], reason=options["reason"])
        self.stdout.write(f"resumed (operation {operation})")

    def _health(self, options: dict[str, Any]) -> None:
        now = snapshot.take()
        judged = health.judge(now)
        if options["json"]:
            self._print_json({"status": judged.condition, "reasons": judged.reasons, **now.as_dict()})
        else:
            self.stdout.write(judged.condition)
            for sentence in judged.reasons or [judged.sentence]:
                self.stdout.write(sentence)
        if code := _EXIT_CODES[judged.condition]:
            sys.exit(code)

    def _breaker(self, options: dict[str, Any]) -> None:
        wanted = options["provider"]
        self._refuse_unknown(wanted or [])
        if options["reset"]:
            names = switches.reset_providers(wanted, actor=options["actor"], reason=options["reason"])
            if not options["json"]:
                self.stdout.write(f"reset: {', '.join(names) or 'nothing was remembered'}")
        views = [view for view in providers.views() if not wanted or view.name in wanted]
        if options["json"]:
            self._print_json({"providers": [vars(view) for view in views]})
        else:
            self.stdout.write("\n".join(map(_line, views)))

    def _refuse_unknown(self, wanted: list[str]) -> None:
        known = [view.name for view in providers.views()]
        if unknown := sorted(set(wanted) - set(known)):
            raise CommandError(f"there is no provider {unknown[0]!r}; there are {', '.join(known)}")

    def _print_json(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder))


def _line(view: ProviderView) -> str:
    parts = [f"{view.name}: {view.breaker.replace('_', ' ')}"]
    if view.is_out:
        parts.append(f"out for {health.age(view.out_for or 0)}, next try in {health.age(view.retry_in or 0)}")
    elif view.failures:
        parts.append(f"{view.failures} batches in a row failed")
    if view.blocked_for:
        parts.append(f"at its rate limit for {health.age(view.blocked_for)} more")
    if view.calls:
        parts.append(f"{view.calls} calls in flight")
    if view.tokens_today:
        spent = ", the budget is spent" if view.is_spent else ""
        parts.append(f"{view.tokens_today:,} tokens today{spent}")
    if view.last_error:
        parts.append(f"last error: {view.last_error}")
    return "; ".join(parts)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, and none for this user's number
        return "command line"
