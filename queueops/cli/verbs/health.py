"""The verb `health`: its exit code is for monitors, its sentences for people."""

from typing import Any

from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import VerbGroup
from queueops.monitoring import health, snapshot
from queueops.monitoring.health import Condition, Health
from queueops.monitoring.snapshot import Snapshot

family = VerbGroup("Health", is_brief=True)

_EXITS = {Condition.OK: Exit.OK, Condition.DEGRADED: Exit.PARTLY, Condition.DOWN: Exit.TROUBLE}
COLOURS = {Condition.OK: "green", Condition.DEGRADED: "yellow", Condition.DOWN: "bold red"}
KEYS = ("status", "reasons", "notes", *snapshot.KEYS)


@family.verb("health", "exit with 0 if healthy, 1 if degraded, 2 if down", keys=KEYS)
def print_health(console: Console) -> Exit:
    now = snapshot.take_despite_locks()
    judged = health.judge(now)
    sentences = (*(judged.reasons or (judged.sentence,)), *judged.notes)
    console.print_result(
        fields(now, judged), line(judged.condition, COLOURS[judged.condition]), *map(line, sentences)
    )
    return _EXITS[judged.condition]


def fields(now: Snapshot, judged: Health) -> dict[str, Any]:
    """A snapshot with its health, as in /stats."""
    return {"status": judged.condition, "reasons": judged.reasons, "notes": judged.notes, **now.as_dict()}
