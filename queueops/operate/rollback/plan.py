"""The rollback plan of this installation: what it is now, and for each way back its commands, price and undo."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from articles.models import ArticleVersion
from embeddings.models import ArticleEmbedding, Space
from queueops.engine import modes
from queueops.models import Priority, QueueState, Status, Task
from queueops.monitoring import snapshot
from queueops.monitoring.snapshot import COUNT_LIMIT, Snapshot

_MARKS = re.compile(r"[\\`|<>\[\]]")


@dataclass(frozen=True)
class Way:
    """One kind of rollback. Commands are for a shell in the checkout; `verify` says afterwards that it worked."""

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
        _END,
    ]
    return "\n".join(parts)


def ways(now: Snapshot) -> list[Way]:
    """The five kinds, the mildest first."""
    return [_disable(now), _configuration(), _migration(), _provider(), _removal()]


def _disable(now: Snapshot) -> Way:
    back = now.mode if now.mode != now.mode_in_settings else "environment"
    return Way(
        "Temporary disable",
        "Background embedding slows the system down, or must stand still for a while.",
        [
            "# a save embeds in its own request, workers stand still:",
            './dev manage queue_admin mode synchronous --reason "WHY"',
            './dev manage queue_admin stop --reason "WHY"',
            "# or, in an emergency, take from the workers what they hold too:",
            './dev manage queue_admin emergency-stop --reason "WHY"',
            "# or embed nothing at all; searches answer by words:",
            './dev manage queue_admin mode disabled --reason "WHY"',
        ],
        ["./dev manage queue_admin status", "./dev manage queue_admin health"],
        "Nothing. What waits keeps waiting; what is saved while disabled is found by the sweep afterwards.",
        [f'./dev manage queue_admin mode {back} --reason "WHY"', "./dev manage queue_admin start"],
    )


def _configuration() -> Way:
    return Way(
        "Configuration rollback",
        "New settings do harm.",
        [
            "./dev manage embed_check config",
            "# put the former values back (in .env: cp .env.before .env), and restart the processes",
            "./dev manage embed_check all",
        ],
        ["./dev manage embed_check config", "./dev manage queue_admin health"],
        "Nothing: tasks and vectors do not depend on settings, except for the provider (see below).",
        ["# set the new values again and restart"],
    )


def _migration() -> Way:
    queued = Task.objects.filter(status=Status.PENDING, metadata__reason="migration")[:COUNT_LIMIT].count()
    return Way(
        "Migration rollback",
        "Bringing the existing corpus into the queue overloads something or fails in numbers.",
        ["./dev manage embed_migrate rollback --confirm"],
        ["./dev manage queue_admin status", "./dev manage queue_admin operations"],
        f"The place in the queue of what the migration queued and nobody has embedded yet ({_number(queued)} tasks). "
        "Vectors that it made stay.",
        ["./dev manage embed_migrate run --forward"],
    )


def _provider() -> Way:
    space = Space.objects.serving()
    same = f"{_code(space.model)} ({space.dimensions} numbers)" if space else "the same model"
    return Way(
        "Provider rollback",
        "The embedding service is unreliable, refuses the key, or gives poor vectors.",
        [
            './dev manage queue_admin pause --reason "WHY"',
            f"# vectors of two models cannot be compared: go back to a server that has {same}",
            "# EMBEDDING_PROVIDER, OPENAI_BASE_URL, OPENAI_API_KEY, OLLAMA_BASE_URL: former values, then restart",
            "./dev manage embed_check provider",
            './dev manage queue_admin breaker --reset --reason "WHY"',
            "# what failed while the provider was bad:",
            './dev manage queue_admin retry --newer-than 1h --status failed --reason "WHY"',
            "./dev manage queue_admin resume",
        ],
        ["./dev manage embed_check provider", "./dev manage queue_admin breaker"],
        "Nothing, with the same model. If its vectors were wrong, make them again: ./dev manage reindex",
        [
            "# the newer values again, restart, and:",
            './dev manage queue_admin breaker --reset --reason "WHY"',
        ],
    )


def _removal() -> Way:
    return Way(
        "Complete removal",
        "The queue is to go. Articles, search, and embedding in the request stay.",
        [
            './dev manage queue_admin emergency-stop --reason "WHY"',
            "./dev manage queue_admin export --output queue-state.jsonl",
            "./dev manage backup",
            './dev manage queue_admin clear --all --confirm --why "WHY"',
            "# drops the tables, once they are backed up (migrate queueops zero drops them and asks nothing):",
            "./dev manage remove_queue --yes",
            "# remove the EMBEDDING_QUEUE_…, EMBEDDING_WORKER_… and EMBEDDING_CLEANUP_… settings; stop the workers",
        ],
        ["./dev manage embed_check provider", f"curl http://{settings.HOST}:{settings.PORT}/health"],
        "Every task, the audit log, the metrics, and the workers' brakes; the backup has them. "
        "SEMANTIC_SEARCH_ENABLED=false also ends search by meaning.",
        ["./dev manage migrate", "./dev manage queue_admin import queue-state.jsonl", "# start the workers"],
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
| articles | {now.articles:,}, of which {now.embedded:,} are found by their present text |
| versions | {_number(ArticleVersion.objects.all()[:COUNT_LIMIT].count())} |
| tasks | {tasks} |
| waiting by priority | {_waiting()} |
| passages with vectors | {vectors} |
| spaces | {spaces} |
| workers | {now.workers_alive} alive, {now.workers_stopped} stopped |
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
    told = (
        "\n".join(["| set in the environment or .env | to |", "| --- | --- |", *rows])
        if rows
        else "Every setting has its default."
    )
    return f"## Settings\n\n{told}\n"


def _before() -> str:
    commands = [
        "./dev manage backup",
        "./dev manage queue_admin export --output queue-state.jsonl",
        "./dev manage rollback_drill",
        "# cp .env .env.before, if there is such a file",
    ]
    return f"## Before anything else\n\n{_shell(commands)}\n"


def _way(number: int, way: Way) -> str:
    return f"""## {number}. {way.title}

{way.when}

{_shell(way.commands)}

Verify:

{_shell(way.verify)}

It loses: {way.loses}

Undo:

{_shell(way.undo)}
"""


_END = """## Afterwards

- [ ] the application starts, and `/health` answers
- [ ] articles can be made, read, changed and deleted
- [ ] nothing is embedded that should not be: `./dev manage queue_admin status`
- [ ] saves answer as fast as before
- [ ] no errors of the queue in the logs
- [ ] the rows are whole: `./dev manage embed_check invariants`
- [ ] searches find what they should
"""


def _shell(commands: Sequence[str]) -> str:
    return "\n".join(["```bash", *commands, "```"])


def _one_line(value: object) -> str:
    """A value of a row or a setting on one line: it adds no command to those that an operator copies."""
    return "".join(char if char.isprintable() else " " for char in str(value))


def _text(value: object) -> str:
    """The same where Markdown is read: it ends no cell of a table, and begins no code, tag or link."""
    return _MARKS.sub(r"\\\g<0>", _one_line(value))


def _code(value: object) -> str:
    """The same between backticks, where Markdown knows no escapes but that of a table's cell."""
    return _one_line(value).replace("`", "'").replace("|", "\\|")


def _number(count: int) -> str:
    """A count that was bounded, or the limit at which counting stopped."""
    return f"{count:,}" if count < COUNT_LIMIT else f"{COUNT_LIMIT:,} or more"
