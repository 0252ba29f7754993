"""The pages of docs/operations are true: every command, statement, setting and printed line in them is tried here.

A page's blocks are tried in their order, against the same prepared rows: `console` is run in this process, `sql`
verbatim, `dotenv` is read by the settings, and a `text` block is what the block before it printed (a number stands for
any number, OPERATION for any id, … for anything).
"""

import json
import os
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.management import CommandError, get_commands, load_command_class
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import DjangoDbBlocker, Settings

from articles.models import Article, ArticleVersion
from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, ProviderError
from queueops.admission import self_pause
from queueops.engine import modes
from queueops.models import Breaker, Metric, Mode, ProviderState, Status, Task, Worker
from queueops.operate import controls
from tests.paths import ROOT
from tests.providers import FakeProvider
from tests.queueops.cli_runner import Called, called
from tests.queueops.factories import make_article, make_space, make_tasks, make_worker

FOLDER = ROOT / "docs/operations"
INDEX = FOLDER / "README.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# Verbs whose exit code is an answer; every other must do what it says.
JUDGES = {"health", "wait-for-completion", "undo", "embed_check"}
# What cannot be done inside a test's transaction is only parsed here; the tests of these commands do it.
PARSED = {
    "migrate",
    "remove_queue",
    "restore",
    "rundramatiq",
    "rollback_drill",
    "embed_check compatibility",
}
# What would go on for long.
SHORTENED = {"monitor": ("--count", "1"), "wait-for-completion": ("--timeout", "0")}


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str

    @property
    def lines(self) -> list[list[str]]:
        """The words of each command line; a backslash at the end of a line continues it."""
        joined = self.text.replace("\\\n", " ").splitlines()
        return [words for line in joined if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in _BLOCK.findall(page.read_text())]


# --- what is there when a page is tried --------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider_process() -> Iterator[FakeProvider]:
    with FakeProvider(dimensions=8) as provider:
        yield provider


@pytest.fixture
def space(db: None, provider_process: FakeProvider, settings: Settings) -> Space:
    """A serving space whose provider answers."""
    settings.OPENAI_BASE_URL = provider_process.url + "/v1"
    return make_space()


@pytest.fixture(scope="module")
def backed_up(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Called:
    """A backup, made once for all pages; what the command printed names its file."""
    with django_db_blocker.unblock():
        made = called("backup", "--to", str(tmp_path_factory.mktemp("backup")))
    assert made.code == 0, made
    return made


def prepare(space: Space) -> dict[str, str]:
    """Some tasks in each status; answers what the pages' placeholders stand for."""
    make_worker()
    make_tasks(3, space, metadata={"reason": "edit"})
    make_tasks(2, space, priority="low", metadata={"reason": "migration"})
    make_tasks(2, space, Status.COMPLETED)
    failed = make_tasks(
        2, space, Status.FAILED, error_class="invalid_input", error_message="the provider refused this text"
    )
    article = make_article("A title", "Some content.")
    article.content = "Newer content."
    article.save()
    return {"TASK_ID": str(failed[0].pk), "SLUG": article.slug, "PROVIDER": "openai"}


def make_an_account(_: Space) -> None:
    """That has a second factor, and that ACCOUNT stands for."""
    TOTPDevice.objects.create(user=User.objects.create_user("ada"), name="app", confirmed=True)


def make_stuck_task(space: Space) -> None:
    stuck_for = {"lease_expires_at": Now() - timedelta(minutes=5), "processed_at": Now() - timedelta(hours=1)}
    make_tasks(1, space, Status.PROCESSING, claimed_by="worker-1@a:7", **stuck_for)


def stop_by_hand(_: Space) -> None:
    Worker.objects.update(is_running=False)


def lose_workers(space: Space) -> None:
    make_stuck_task(space)
    Worker.objects.update(last_seen_at=Now() - timedelta(hours=1))
    hour_ago = Now() - timedelta(hours=1)
    Task.objects.update(scheduled_at=hour_ago)
    Task.objects.filter(completed_at__isnull=False).update(completed_at=hour_ago)


def lose_workers_again_and_again(space: Space) -> None:
    for number in range(6):
        Metric.objects.create(name="worker_ended", value=1, labels={"how": "SIGKILL"})
        lost = {"claimed_by": f"worker {number}", "alone": False}
        Metric.objects.create(name="worker_lost", value=20, labels=lost)
    make_tasks(2, space, priority="high", error_class="worker_lost", losses=1)


def break_provider(_: Space) -> None:
    out = {
        "openings": 2,
        "opened_at": Now() - timedelta(minutes=7),
        "retry_at": Now() + timedelta(seconds=30),
    }
    ProviderState.objects.update_or_create(
        pk="openai", defaults={"breaker": Breaker.OPEN, "failures": 3, "last_error": "no response"} | out
    )


def refuse_vectors(_: Space) -> None:
    Worker.objects.update(
        refusal="53100 disk full: could not extend file", refused_since=Now() - timedelta(minutes=7)
    )


def refuse_key(_: Space) -> None:
    controls.resume(actor="test")
    assert self_pause.pause_itself("openai", ProviderError(ErrorClass.AUTH, "it refused the key with 401"), 0)


def make_old_articles(_: Space) -> None:
    """Articles that were written before there was a queue."""
    Article.objects.bulk_create(
        Article(slug=f"old-{n}", title=f"Old {n}", content=f"An old text, number {n}.") for n in range(10)
    )


def make_import(space: Space) -> None:
    make_tasks(2, space, priority="high", metadata={"reason": "import"})


def lose_tasks(_: Space) -> None:
    """After they were exported to where FILE stands for."""
    assert called("queue_admin", "export", "--output", str(django_settings.DATA_DIR / "a-file")).code == 0
    Task.objects.filter(status=Status.FAILED).delete()


def leave_one_article(_: Space) -> None:
    """And that was written yesterday, and changed now."""
    Article.objects.exclude(slug="a-title").delete()
    ArticleVersion.objects.filter(version_number=1).update(created_at=Now() - timedelta(days=1))


def embed_an_article(_: Space) -> None:
    leave_one_article(_)
    controls.set_mode(Mode.SYNCHRONOUS, actor="test", reason="a scene")
    modes.forget()
    article = Article.objects.get()
    article.content = "Text with vectors."
    article.save()
    Article.objects.update(updated_at=Now() - timedelta(hours=1))
    controls.set_mode(None, actor="test", reason="a scene")
    modes.forget()


SCENES: dict[str, Callable[[Space], None]] = {
    "stuck-tasks": make_stuck_task,
    "workers-stopped": stop_by_hand,
    "no-worker-alive": lose_workers,
    "workers-lost": lose_workers_again_and_again,
    "provider-outage": break_provider,
    "key-revoked": refuse_key,
    "database-refuses": refuse_vectors,
    "migrate-small": make_old_articles,
    "migrate-medium": make_old_articles,
    "migrate-large": make_old_articles,
    "slow": make_import,
    "recover-queue": lose_tasks,
    "recover-articles": leave_one_article,
    "recover-vectors": embed_an_article,
    "rollback-migration": make_old_articles,
    "sign-in": make_an_account,
}


# --- trying a page -----------------------------------------------------------------------------------------


class Shell:
    """Runs the commands of one page; remembers the newest operation, which OPERATION stands for."""

    def __init__(self, placeholders: dict[str, str], folder: Path, backed_up: Called) -> None:
        self.backed_up = backed_up
        self.placeholders = placeholders | {
            "FILE": str(folder / "a-file"),
            "FOLDER": str(folder),
            "ACCOUNT": "ada",
            "BACKUP": backed_up.out.rpartition(": ")[2].strip(),
        }
        self.client = Client()

    def run(self, words: list[str]) -> str:
        match [self._filled(word) for word in words]:
            case ["./dev", "manage", command, *options]:
                return self._manage(command, options)
            case ["./dev", verb, *_]:
                assert f"    ./dev {verb} " in (ROOT / "dev").read_text()
            case ["curl", *options]:
                return self._curl(options)
            case ["export" | "unset", *named]:
                assert {each.partition("=")[0] for each in named} <= django_settings.ENVIRONMENT.keys()
            case _:
                pytest.fail(f"no test for the command {shlex.join(words)}")
        return ""

    def query(self, statement: str) -> str:
        """The rows of every statement, one a line."""
        rows: list[Any] = []
        with connection.cursor() as cursor:
            cursor.execute(statement)
            while True:
                rows += cursor.fetchall() if cursor.description else []
                if not cursor.nextset():
                    break
        return "\n".join(" | ".join(map(str, row)) for row in rows)

    def _filled(self, word: str) -> str:
        for name, value in self.placeholders.items():
            word = re.sub(rf"\b{name}\b", value, word)
        return word

    def _manage(self, command: str, options: list[str]) -> str:
        assert command in get_commands(), f"there is no command {command}"
        verb = next((word for word in options if not word.startswith("-")), "")
        if command == "backup":
            parse(command, options)
            return self.backed_up.out
        if {command, f"{command} {verb}"} & PARSED and not {"--dry-run", "--plan"} & set(options):
            parse(command, options)
            return ""
        answer = called(command, *options, *SHORTENED.get(verb, ()))
        assert not answer.sentence, f"{command} {shlex.join(options)}: {answer.sentence}"
        assert answer.code == 0 or {command, verb} & JUDGES, f"{command} {shlex.join(options)}: {answer}"
        if found := re.findall(r"; operation ([0-9a-f-]{36})", answer.out):
            self.placeholders["OPERATION"] = found[-1]
        return answer.out

    def _curl(self, options: list[str]) -> str:
        """The same request to the site inside this process."""
        address, method, body, headers = "", "", None, {}
        words = iter(options)
        for word in words:
            match word:
                case "-X":
                    method = next(words)
                case "-d":
                    body = next(words)
                case "-H":
                    name, _, value = next(words).partition(": ")
                    headers[name] = value.replace("$AUTH_TOKEN", django_settings.AUTH_TOKEN)
                case _:
                    address = word
        parts = urlsplit(address)
        assert parts.netloc == "localhost:$PORT", address
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        answer = self.client.generic(
            method or ("POST" if body else "GET"), path, body or "", "application/json", headers=headers
        )
        assert answer.status_code < 400, (address, answer.status_code, answer.content[:500])
        return str(answer.content.decode())


def parse(command: str, options: list[str]) -> None:
    """Raises CommandError where the command does not take these options."""
    made: Any = load_command_class(str(get_commands()[command]), command)
    made.create_parser("manage.py", command).parse_args(options)


def pattern(line: str) -> re.Pattern[str]:
    """What a line of a `text` block matches."""
    found = re.sub(r"\d+", r"\\d+", re.escape(" ".join(line.split())))
    return re.compile(found.replace("…", ".*").replace("OPERATION", "[0-9a-f-]{36}"))


# /health asks by a session of its own, which sees nothing of this test's transaction;
# tests/queueops/api/test_health.py has what it answers.
_OF_A_SESSION_OF_ITS_OWN = {'{"status": "ok"}': '{"status": "…"}'}


def demand_printed(wanted: str, printed: str) -> None:
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in filter(str.strip, wanted.splitlines()):
        line = _OF_A_SESSION_OF_ITS_OWN.get(line, line)
        assert any(map(pattern(line).fullmatch, lines)), f"{line!r} is not among:\n{printed}"


@pytest.mark.parametrize("page", [INDEX, *PAGES], ids=lambda page: page.stem)
def test_everything_on_a_page_works_and_prints_what_the_page_says(
    page: Path, space: Space, backed_up: Called, tmp_path: Path, settings: Settings
) -> None:
    settings.DATA_DIR = tmp_path
    settings.MANAGE_COMMAND = "./dev manage"
    shell = Shell(prepare(space), tmp_path, backed_up)
    if scene := SCENES.get(page.stem):
        scene(space)
    printed = ""
    for block in blocks(page):
        match block.language:
            case "console":
                printed = "\n".join(map(shell.run, block.lines))
            case "sql":
                printed = shell.query(block.text)
            case "text":
                demand_printed(block.text.replace("ACCOUNT", "ada"), printed)
            case other:
                assert other == "dotenv", f"no test for a block of {other!r}"


SETTINGS_TRIED = """
import json, os, runpy, sys
for settings in json.load(sys.stdin):
    os.environ.update(settings)
    runpy.run_path("config/settings.py")
    for name in settings:
        del os.environ[name]
"""


@pytest.mark.process
def test_every_settings_line_of_the_pages_is_one_that_the_settings_take(tmp_path: Path) -> None:
    tried = [
        dict(word.split("=", 1) for words in block.lines for word in words)
        for page in PAGES
        for block in blocks(page)
        if block.language == "dotenv"
    ]
    assert {name for each in tried for name in each} <= django_settings.ENVIRONMENT.keys()
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS_TRIED], cwd=ROOT, input=json.dumps(tried), text=True,
        env=os.environ | {"DATA_DIR": str(tmp_path)}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# --- how a page is written ---------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [INDEX, *PAGES], ids=lambda page: page.stem)
def test_commands_in_a_sentence_are_ones_that_there_are(page: Path) -> None:
    named = {
        "TASK_ID": "1",
        "SLUG": "a",
        "FILE": "a",
        "BACKUP": "a",
        "PROVIDER": "openai",
        "OPERATION": str(uuid.uuid4()),
    }
    for words in re.findall(r"`\./dev manage ([^`]+)`", page.read_text()):
        command, *options = [named.get(word, word) for word in shlex.split(words)]
        parse(command, options)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_begins_with_its_question_and_what_to_type(page: Path) -> None:
    title, _, rest = page.read_text().partition("\n")
    assert title.startswith("# ")
    assert rest.lstrip().startswith(("```console", "```sql")), "the commands come first"
    headings = re.findall(r"^## (.+)$", rest, re.MULTILINE)
    assert headings[-2:] == ["Undo", "Escalate"]
    assert "What it means" in headings


def test_the_index_has_every_page() -> None:
    assert sorted(set(re.findall(r"\]\(([\w-]+\.md)\)", INDEX.read_text()))) == [page.name for page in PAGES]


def test_the_index_quotes_sentences_that_the_code_says() -> None:
    monitoring = ("health", "health_sentences")
    sources = [*(f"queueops/monitoring/{name}.py" for name in monitoring), "access/sign_in_pages.py"]
    code = "".join((ROOT / name).read_text() for name in sources)
    rows = INDEX.read_text().partition("| you see |")[2].partition("\n\n")[0].splitlines()[2:]
    quoted = [quote for row in rows for quote in re.findall(r"`([^`]+ [^`]+)`", row.split("|")[1])]
    assert len(quoted) > 5
    pieces = [piece.strip() for quote in quoted for piece in quote.split("…")]
    assert not [piece for piece in pieces if piece not in code]


def test_a_line_that_was_not_printed_is_noticed() -> None:
    with pytest.raises(AssertionError, match="3 tasks cleared"):
        demand_printed("3 tasks cleared", "4 tasks cancelled")
    demand_printed("3 tasks …; operation OPERATION", f"12 tasks  cancelled; operation {uuid.uuid4()}")


def test_an_option_that_a_command_does_not_take_is_noticed() -> None:
    with pytest.raises(CommandError, match="unrecognized arguments"):
        parse("migrate", ["--no-such-option"])


def test_a_command_that_is_refused_is_noticed(space: Space, tmp_path: Path, backed_up: Called) -> None:
    with pytest.raises(AssertionError, match="no tasks selected"):
        Shell({}, tmp_path, backed_up).run(
            ["./dev", "manage", "queue_admin", "cancel", "--yes", "--reason", "a test"]
        )
