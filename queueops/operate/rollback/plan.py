"""The rollback plan of this installation: its current state, and for each kind of rollback commands, loss and undo."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from articles.models import ArticleVersion
from embeddings.models import ArticleEmbedding, Space
from lib.manage_command import manage
from queueops.engine import modes
from queueops.models import Priority, QueueState, Status, Task
from queueops.monitoring import health, snapshot
from queueops.monitoring.snapshot import COUNT_LIMIT, Snapshot

_MARKS = re.compile(r"[\\`|<>\[\]]")


@dataclass(frozen=True)
class Way:
    """One kind of rollback: its commands for a shell, and those that verify the result."""

    title: str
    when: str
    commands: Sequence[str]
    verify: Sequence[str]
    loses: str
    undo: Sequence[str]


def write() -> str:
    """The plan as Markdown; it names no secret."""
    now = snapshot.take()
    parts = [
        _head(now),
        _settings(),
        _before(),
        *(_way(number, way) for number, way in enumerate(ways(now), 1)),
        _afterwards(),
    ]
    return "\n".join(parts)


def ways(now: Snapshot) -> list[Way]:
    """The five kinds, the one with the least effect first."""
    return [_disable(now), _configuration(), _migration(), _provider(), _removal()]


def _disable(now: Snapshot) -> Way:
    back = now.mode if now.mode != now.mode_in_settings else "environment"
    return Way(
        "Temporary disable",
        "Background embedding slows the system down, or must stop for a while.",
        [
            "# saves embed in their requests; workers stop claiming:",
            manage('queue_admin mode synchronous --reason "WHY"'),
            manage('queue_admin stop --reason "WHY"'),
            "# or, in an emergency, also release the tasks in progress:",
            manage('queue_admin emergency-stop --reason "WHY"'),
            "# or embed nothing; searches use keywords:",
            manage('queue_admin mode disabled --reason "WHY"'),
        ],
        [manage("queue_admin status"), manage("queue_admin health")],
        "Nothing. Pending tasks stay pending; the sweep queues what is saved while embedding is disabled.",
        [manage(f'queue_admin mode {back} --reason "WHY"'), manage("queue_admin start")],
    )


def _configuration() -> Way:
    return Way(
        "Configuration rollback",
        "New settings cause errors or slow the system down.",
        [
            manage("embed_check config"),
            "# restore the former values (in .env: cp .env.before .env), and restart the processes",
            manage("embed_check all"),
        ],
        [manage("embed_check config"), manage("queue_admin health")],
        "Nothing: tasks and vectors do not depend on settings, except for the provider (see below).",
        ["# set the new values again and restart"],
    )


def _migration() -> Way:
    queued = Task.objects.filter(status=Status.PENDING, metadata__reason="migration")[:COUNT_LIMIT].count()
    return Way(
        "Migration rollback",
        "Queueing the existing corpus overloads the system, or many of its tasks fail.",
        [manage("embed_migrate rollback --confirm")],
        [manage("queue_admin status"), manage("queue_admin operations")],
        f"The tasks of the migration that are still pending ({_number(queued)}) are cancelled. "
        "Vectors that it stored are kept.",
        [manage("embed_migrate run --forward")],
    )


def _provider() -> Way:
    space = Space.objects.serving()
    same = f"{_code(space.model)} ({space.dimensions} numbers)" if space else "the same model"
    return Way(
        "Provider rollback",
        "The embedding service is unreliable, refuses the key, or gives poor vectors.",
        [
            manage('queue_admin pause --reason "WHY"'),
            f"# vectors of two models cannot be compared: return to a server that has {same}",
            "# EMBEDDING_PROVIDER, OPENAI_BASE_URL, OPENAI_API_KEY, OLLAMA_BASE_URL: former values, then restart",
            manage("embed_check provider"),
            manage('queue_admin breaker --reset --reason "WHY"'),
            "# requeue the tasks that failed meanwhile:",
            manage('queue_admin retry --newer-than 1h --status failed --reason "WHY"'),
            manage("queue_admin resume"),
        ],
        [manage("embed_check provider"), manage("queue_admin breaker")],
        "Nothing, if the model is the same. If its vectors were wrong, embed again: " + manage("reindex"),
        [
            "# set the newer values again, restart, then:",
            manage('queue_admin breaker --reset --reason "WHY"'),
        ],
    )


def _removal() -> Way:
    return Way(
        "Complete removal",
        "The queue is not wanted any more. Articles, search, and embedding in the request stay.",
        [
            manage('queue_admin emergency-stop --reason "WHY"'),
            manage("queue_admin export --output queue-state.jsonl"),
            manage("backup"),
            manage('queue_admin clear --all --confirm --why "WHY"'),
            "# backs up the tables, then drops them (migrate queueops zero drops them without asking):",
            manage("remove_queue --yes"),
            "# remove the EMBEDDING_QUEUE_…, EMBEDDING_WORKER_… and EMBEDDING_CLEANUP_… settings; stop the workers",
        ],
        [manage("embed_check provider"), f"curl http://{settings.HOST}:{settings.PORT}/health"],
        "Every task, the audit log, the metrics, and the stop requests to workers; the backup contains them. "
        "SEMANTIC_SEARCH_ENABLED=false also turns off search by meaning.",
        [manage("migrate"), manage("queue_admin import queue-state.jsonl"), "# start the workers"],
    )


def _head(now: Snapshot) -> str:
    state = QueueState.objects.annotate(written=Now()).first()
    written = f"{state.written:%Y-%m-%d %H:%M} UTC" if state else "now"
    where = settings.ENVIRONMENT["DATABASE_URL"].value
    tasks = ", ".join(f"{_number(now.tasks[each])} {each}" for each in Status.values)
    vectors = _number(ArticleEmbedding.objects.all()[:COUNT_LIMIT].count())
    spaces = ", ".join(f"{_text(space)} ({space.state})" for space in Space.objects.order_by("id")) or "none"
    paused = f"paused by {_text(now.changed_by)}: {_text(now.reason)}" if now.paused else "not paused"
    return f"""# Rollback plan

Written {written} for database `{_code(connection.settings_dict["NAME"])}` at `{_code(where or "the embedded server")}`.

| | |
| --- | --- |
| mode | {now.mode} (the settings ask for {modes.of_settings()}); {paused} |
| articles | {now.articles:,}, of which {now.embedded:,} are searchable by their current text |
| versions | {_number(ArticleVersion.objects.all()[:COUNT_LIMIT].count())} |
| tasks | {tasks} |
| pending by priority | {_waiting()} |
| chunks with vectors | {vectors} |
| spaces | {spaces} |
| workers | {health.workers_in_words(now)} |
"""


def _waiting() -> str:
    pending = Task.objects.pending()
    return ", ".join(
        f"{_number(pending.filter(priority=each)[:COUNT_LIMIT].count())} {each}" for each in Priority.values
    )


def _settings() -> str:
    rows = [
        f"| `{name}` | `{_code(reading.value or '(empty)')}` |"
        for name, reading in sorted(settings.ENVIRONMENT.items())
        if reading.is_set
    ]
    table = (
        "\n".join(["| set in the environment or .env | to |", "| --- | --- |", *rows])
        if rows
        else "Every setting has its default."
    )
    return f"## Settings\n\n{table}\n"


def _before() -> str:
    commands = [
        manage("backup"),
        manage("queue_admin export --output queue-state.jsonl"),
        manage("rollback_drill"),
        "# cp .env .env.before, if there is such a file",
    ]
    return f"## Before any rollback\n\n{_shell(commands)}\n"


def _way(number: int, way: Way) -> str:
    return f"""## {number}. {way.title}

{way.when}

{_shell(way.commands)}

Verify:

{_shell(way.verify)}

Lost: {way.loses}

Undo:

{_shell(way.undo)}
"""


def _afterwards() -> str:
    return f"""## Afterwards

- [ ] the application starts, and `/health` returns 200
- [ ] articles can be created, read, changed and deleted
- [ ] no task that should have stopped is in progress: `{manage("queue_admin status")}`
- [ ] saves are as fast as before
- [ ] no errors of the queue in the logs
- [ ] the rows violate no invariant: `{manage("embed_check invariants")}`
- [ ] searches find the expected articles
"""


def _shell(commands: Sequence[str]) -> str:
    return "\n".join(["```bash", *commands, "```"])


def _one_line(value: object) -> str:
    """A value of a row or a setting on one line, so that it adds no command to those that an operator copies."""
    return "".join(char if char.isprintable() else " " for char in str(value))


def _text(value: object) -> str:
    """The same for Markdown: it cannot end a table cell, or begin code, a tag or a link."""
    return _MARKS.sub(r"\\\g<0>", _one_line(value))


def _code(value: object) -> str:
    """The same between backticks, where only the pipe of a table cell can be escaped."""
    return _one_line(value).replace("`", "'").replace("|", "\\|")


def _number(count: int) -> str:
    """A bounded count, or the limit at which counting stopped."""
    return f"{count:,}" if count < COUNT_LIMIT else f"{COUNT_LIMIT:,} or more"
