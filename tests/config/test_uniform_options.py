"""Every command that changes something takes the same options and has a dry run; unknown words are refused."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.utils import timezone
from pytest_django import Settings

from access.models import ApiToken
from access.sessions import Session
from queueops.management.commands import queue_admin
from queueops.models import Metric, Task, Verb
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from queueops.operate.transfer.jsonl import Export
from tests.access.people import make_ada, make_device
from tests.queueops.cli_runner import Called, called
from tests.queueops.factories import make_space, make_tasks, make_worker

OURS = ("access", "articles", "config", "embeddings", "queueops")
SAME = {"--yes", "--confirm", "--dry-run", "--reason"}
# Commands without verbs that change nothing or serve until they are stopped.
READING = {
    *("list_tokens", "rollback_plan", "export_articles", "backup"),
    *("runstack", "rundramatiq", "serve_embedder", "serve_fake_provider"),
}
# Django's own, with a look at the server before; --plan is its dry run.
OF_DJANGO = {"migrate"}
# It does what a setting says, as `migrate` and each start do, and can be repeated.
OF_SETTINGS = {"filter_indexes"}
# Repeating it is harmless, its versions are history, and its summary is its audit.
IMPORTING = {"import_articles"}
READING_VERBS = {
    "queue_admin": {
        *("status", "stats", "metrics", "health", "recent", "failed", "list", "debug", "explain", "monitor"),
        *("wait-for-completion", "stuck", "audit"),
    },
    "embed_migrate": {"analyze"},
    "embed_check": {"config", "database", "broker", "provider", "all", "invariants"},
    "spaces": {"list"},
}
# Words that make each act do something.
ACTS = {
    "create_token": "x",
    "rotate_token": "TOKEN",
    "revoke_token": "TOKEN",
    "end_sessions": "ada",
    "end_blocks": "ada",
    "reset_second_factor": "ada",
    "remove_queue": "--no-backup",
    "reindex": "",
    "review_flag": "--since 2h",
    "embed_migrate run": "",
    "embed_migrate rollback": "",
    "queue_admin retry": "--all",
    "queue_admin cancel": "--all",
    "queue_admin prioritize": "high --all",
    "queue_admin clear": "--all",
    "queue_admin reset-stuck": "",
    "queue_admin undo": "OPERATION",
    "queue_admin operations": "resume OPERATION",
    "queue_admin pause": "",
    "queue_admin resume": "",
    "queue_admin stop": "",
    "queue_admin start": "",
    "queue_admin emergency-stop": "",
    "queue_admin mode": "synchronous",
    "queue_admin breaker": "--reset",
    "queue_admin maintenance": "--once",
    "queue_admin cleanup": "",
    "queue_admin import": "FILE",
}
# Acts that are tried elsewhere: they need a file of a backup, a database of their own, a server, or other spaces.
ELSEWHERE = {
    *("restore", "rollback_drill", "embed_check compatibility", "queue_admin export"),
    *(f"spaces {verb}" for verb in ("create", "index", "cutover", "rollback", "retire", "cancel")),
}
# They change no row: a file is written, a database of their own is used.
WITHOUT_REASON = {"queue_admin export", "rollback_drill"}


def verbs_of(command: str) -> list[str]:
    """The verbs of a command by its name, one without a name if it has none."""
    made = load_command_class(str(get_commands()[command]), command)
    if not isinstance(made, queue_admin.Command) or isinstance(made, queue_admin.OneVerb):
        return [""]
    return [verb.name for family in made.families for verb in family]


def all_acts() -> set[str]:
    """Every command and verb that changes something."""
    ours = {name for name, app in get_commands().items() if app.partition(".")[0] in OURS}
    return {
        f"{command} {verb}".strip()
        for command in ours - READING - IMPORTING - OF_DJANGO - OF_SETTINGS
        for verb in verbs_of(command)
        if verb not in READING_VERBS.get(command, ())
    }


def options_of(act: str) -> set[str]:
    command, _, verb = act.partition(" ")
    made = load_command_class(str(get_commands()[command]), command)
    parser = made.create_parser("manage.py", command)
    if verb:
        (verbs,) = (action for action in parser._actions if action.dest == "verb")
        assert isinstance(verbs.choices, dict)
        parser = verbs.choices[verb]
    return {name for action in parser._actions for name in action.option_strings}


def test_every_act_is_tried_here_or_left_out_by_name() -> None:
    assert all_acts() == ACTS.keys() | ELSEWHERE


@pytest.mark.parametrize("act", sorted(ACTS.keys() | ELSEWHERE - {"rollback_drill"}))
def test_every_act_takes_the_same_options(act: str) -> None:
    assert (SAME - {"--reason"} if act in WITHOUT_REASON else SAME) <= options_of(act)


def test_the_drill_on_a_database_of_its_own_has_a_dry_run() -> None:
    assert "--dry-run" in options_of("rollback_drill")


type Call = Callable[[str], Called]


@pytest.fixture
def call(db: None, tmp_path: Path, clean_cache: None, settings: Settings) -> Call:
    """Runs an act with --dry-run, with something to do for each; what it printed."""
    settings.DATA_DIR = tmp_path
    make_worker()
    ada = make_ada()
    make_device(ada)
    Session.objects.create(session_key="0" * 64, user=ada, expire_date=timezone.now() + timedelta(hours=1))
    space = make_space()
    make_tasks(2, space)
    make_tasks(2, space, "failed")
    make_tasks(1, space, "processing", lease_expires_at=timezone.now() - timedelta(hours=1))
    Metric.objects.create(name="old", value=1.0, timestamp=timezone.now() - timedelta(days=400))
    done = operations.cancel(TaskFilter(ids=(Task.objects.earliest("id").pk,)), actor="ada", reason="a test")
    begun = operations.begin(Verb.CANCEL, TaskFilter(statuses=("pending",)), actor="ada", reason="a test")
    token, _ = ApiToken.objects.issue("old", ["read"])
    (tmp_path / "tasks.jsonl").write_bytes(b"".join(Export()))
    known = {"TOKEN": token.prefix, "FILE": str(tmp_path / "tasks.jsonl"), "OPERATION": str(done.pk)}

    def run(act: str) -> Called:
        known["OPERATION"] = str((begun if act.endswith("operations") else done).pk)
        words = [known.get(word, word) for word in f"{act} {ACTS[act]}".split()]
        why = "--why" if act.endswith("clear") else "--reason"
        return called(*words, "--dry-run", "--confirm", why, "a test")

    return run


def rows() -> dict[str, list[Any]]:
    """Every row of every table of ours."""
    models = [model for model in apps.get_models() if model._meta.app_label in OURS]
    return {
        model._meta.db_table: list(model._base_manager.order_by("pk").values_list())
        for model in models
        if model._meta.managed
    }


@pytest.mark.parametrize("act", ACTS)
def test_a_dry_run_says_what_it_would_do_and_writes_nothing(call: Call, act: str) -> None:
    before = rows()
    done = call(act)
    assert done.code == 0, done
    assert rows() == before
    assert "This would " in done.out
    assert "Nothing was changed." in done.out


SELECTING = {
    "--status": "failed",
    "--error": "transient",
    "--task-reason": "edit",
    "--priority": "high",
}
CASES = [
    (verb, option, known)
    for verb in ("list failed", "retry", "cancel", "prioritize high", "clear")
    for option, known in SELECTING.items()
    if option in options_of(f"queue_admin {verb.partition(' ')[0]}")
]


@pytest.mark.django_db
@pytest.mark.parametrize(("verb", "option", "known"), CASES)
def test_an_unknown_word_is_refused_with_the_known_ones(verb: str, option: str, known: str) -> None:
    make_space()
    refused = called("queue_admin", *verb.split(), option, "alll")
    assert refused.code
    assert "alll" in refused.sentence
    assert known in refused.sentence
