"""Every management command on a database that is read-only: what reads works, and what writes fails in one sentence."""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.utils import timezone
from pytest_django import Settings

import manage
from access.models import ApiToken
from access.sessions import Session
from queueops.models import Task
from tests.access.people import make_ada, make_device
from tests.queueops.factories import make_article, make_space, make_worker
from tests.queueops.refusing_database import read_only

pytestmark = pytest.mark.django_db(transaction=True)
OURS = ("access", "articles", "config", "embeddings", "queueops")
WHY = ("--reason", "a test", "--yes")
# They serve until they are stopped, or work on a database of their own.
OTHERS = {
    "runstack",
    "rundramatiq",
    "serve_embedder",
    "serve_fake_provider",
    "restore",
    "rollback_drill",
}
READING = {
    "list_tokens": (),
    "export_articles": (),
    "filter_indexes": (),
    "rollback_plan": (),
    "embed_check": ("config",),
    "spaces": ("list",),
    "backup": (),
}
WRITING = {
    "migrate": (),
    "create_token": ("x",),
    "rotate_token": ("TOKEN",),
    "revoke_token": ("TOKEN", *WHY),
    "end_sessions": ("ada", *WHY),
    "reset_second_factor": ("ada", *WHY),
    "end_blocks": ("ada", *WHY),
    "import_articles": ("--jsonl", "FILE"),
    "remove_queue": ("--no-backup", *WHY),
    "queue_admin": ("pause", "--reason", "a test"),
    "embed_migrate": ("run", *WHY),
    "reindex": WHY,
    "review_flag": ("--since", "2h", *WHY),
}


def test_every_command_is_tried_here_or_left_out_by_name() -> None:
    ours = {name for name, app in get_commands().items() if app.partition(".")[0] in OURS}
    assert ours == READING.keys() | WRITING.keys() | OTHERS


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    clean_cache: None,
    settings: Settings,
) -> Callable[..., tuple[int, str]]:
    """Runs a command as a shell does; its code and what it printed on standard error."""
    settings.DATA_DIR = tmp_path
    make_space()
    make_worker()
    ada = make_ada()
    make_device(ada)
    Session.objects.create(session_key="0" * 64, user=ada, expire_date=timezone.now() + timedelta(hours=1))
    make_article()
    Task.objects.all().delete()
    token, _ = ApiToken.objects.issue("old", ["read"])
    file = tmp_path / "articles.jsonl"
    file.write_text('{"title": "Tin", "content": "Tin melts early."}')
    known = {"TOKEN": token.prefix, "FILE": str(file)}

    def run(name: str, words: tuple[str, ...]) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["manage.py", name, *(known.get(word, word) for word in words)])
        with read_only():
            try:
                code = manage.main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        return code, capfd.readouterr().err

    return run


@pytest.mark.parametrize("name", WRITING)
def test_a_command_that_writes_fails_in_one_sentence(call: Callable[..., tuple[int, str]], name: str) -> None:
    code, said = call(name, WRITING[name])
    assert "Traceback" not in said
    assert code == (3 if name == "import_articles" else 2), said
    assert "read-only" in said


@pytest.mark.parametrize("name", READING)
def test_a_command_that_reads_works(call: Callable[..., tuple[int, str]], name: str) -> None:
    code, said = call(name, READING[name])
    assert "Traceback" not in said
    assert code in {0, 1}, said
