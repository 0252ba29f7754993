"""The steps of a rollback drill, in the order of a bad day; for a scratch database only, left in disorder."""

import io
import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.core.management import CommandError, call_command, get_commands

from articles.models import Article
from embeddings.models import Space
from embeddings.search import search
from lib.manage_command import manage
from queueops.engine import claims, execution, modes
from queueops.maintenance import sweep
from queueops.models import Mode, Task, Worker, worker_registry
from queueops.monitoring import invariant_check
from queueops.operate.checks import database
from queueops.operate.checks.finding import CheckResult
from queueops.operate.rollback import scratch_database
from queueops.operate.rollback.step_result import Broken, Result, Step, expect
from queueops.worker.drain import drain

_WHO = "--actor=rollback_drill"
_WHY = "--reason=rollback drill"
_PATIENCE_SECONDS = 30.0
_numbers = itertools.count(1)


def walk() -> Iterator[Step]:
    """Every step as it ends; a failed step does not keep the next from running. Raises RuntimeError outside a scratch
    database."""
    if not scratch_database.is_here():
        raise RuntimeError("the drill runs in a scratch database only")
    for step in STEPS:
        name = step.__name__.strip("_").replace("_", " ")
        try:
            yield Step(name, Result.PASS, step())
        except _LeftOut as reason:
            yield Step(name, Result.SKIP, str(reason))
        except Broken as error:
            yield Step(name, Result.FAIL, str(error))
        except Exception as error:
            yield Step(name, Result.FAIL, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")


class _LeftOut(Exception):
    """Why a step cannot be walked here."""


def migrate() -> str:
    call_command("migrate", verbosity=0)
    bad = [finding for finding in database.check() if finding.verdict is CheckResult.FAIL]
    expect(not bad, f"the migrated database is not whole: {bad[:1]}")
    return "a new database was migrated, and its schema is whole"


def embed_in_the_background() -> str:
    saved = _save(3)
    _work()
    _expect_found(saved)
    return "3 articles saved, embedded by a worker and found by meaning"


def temporary_disable() -> str:
    _set_mode(Mode.SYNCHRONOUS)
    in_request = _save(1)
    _expect_found(in_request)
    _set_mode(Mode.DISABLED)
    tasks = Task.objects.count()
    unheard = _save(1)
    expect(Task.objects.count() == tasks, "a save made a task although embedding is disabled")
    reply = search(unheard[0].title)
    expect(reply.answered_by == "keyword", "a search was embedded although embedding is disabled")
    expect(unheard[0].slug in [hit.slug for hit in reply.hits], "a search by words did not find the article")
    _set_mode(None)
    _until_found(unheard)
    return "synchronous embedded in the save, disabled searched by words, and the sweep found what was left behind"


def stop_and_start() -> str:
    _admin("stop", _WHY)
    saved = _save(2)
    expect(_work() == 0, "a stopped worker claimed tasks")
    status = _admin("status", "--json")
    expect(status["worker_status"] == "stopped", f"status says {status['worker_status']} and not stopped")
    _admin("start", _WHY)
    _work()
    _expect_found(saved)
    return "nothing was claimed while stopped, and everything afterwards"


def migration_rollback() -> str:
    if "embed_migrate" not in get_commands():
        raise _LeftOut("embed_migrate is not installed")
    _set_mode(Mode.DISABLED)
    before = _save(20)
    _set_mode(None)
    _call("embed_migrate", "run", "--yes", _WHO)
    queued = _of_migration()
    expect(queued >= len(before), f"the migration queued {queued} tasks for {len(before)} articles")
    _call("embed_migrate", "rollback", "--confirm", _WHO)
    expect(_of_migration() == 0, "tasks of the migration are left")
    expect(modes.current() is Mode.SYNCHRONOUS, f"the mode is {modes.current()} and not synchronous")
    _expect_found(_save(1))
    _call("embed_migrate", "run", "--forward", "--yes", _WHO)
    _work()
    _expect_found(before)
    _set_mode(None)
    return f"{queued} queued tasks were cancelled, saves embedded at once, and going forward again embedded them all"


def emergency_stop() -> str:
    saved = _save(4)
    held = claims.claim_due(_space(), 2, _worker(), worker_registry.claimant(_worker()))
    expect(held.tasks, "a worker could not claim")
    _admin("emergency-stop", _WHY)
    expect(not Task.objects.processing().exists(), "tasks are still processing")
    execution.execute(held)
    expect(not saved[0].embeddings.exists(), "what a stopped worker finished was written")
    expect(_work() == 0, "a stopped worker claimed tasks")
    _admin("start", _WHY)
    _work()
    _expect_found(saved)
    return "workers lost what they held, wrote nothing, and lost no task"


def recovery_of_a_lost_worker() -> str:
    saved = _save(2)
    expect(claims.claim_due(_space(), 2, _worker(), "lost").tasks, "a worker could not claim")
    Task.objects.processing().update(lease_expires_at="2000-01-01T00:00Z")
    sweep.sweep()
    expect(not Task.objects.processing().exists(), "the sweep did not give the tasks back")
    _work()
    _expect_found(saved)
    return "the sweep gave back what a dead worker held, and another one finished it"


def recovery_of_an_article() -> str:
    (article,) = _save(1)
    good = article.title
    article.title, article.content = "Corrupted", "Nothing of it is left."
    article.save()
    article.restore(1)
    _work()
    article.refresh_from_db()
    expect((article.title, article.version_number) == (good, 3), "the first version was not restored")
    _expect_found([article])
    return "a damaged text was restored from its first version, and is found by it"


def complete_removal() -> str:
    call_command("migrate", "queueops", "zero", verbosity=0)
    modes.forget()
    saved = _save(1)
    _expect_found(saved)
    call_command("migrate", verbosity=0)
    modes.forget()
    later = _save(1)
    _until_found(later)
    return "without its tables saves embedded at once and searches answered; migrate brought the queue back"


def rest() -> str:
    _work()
    # the removal took the audit log, which some invariants read, along with its tasks
    broken = invariant_check.broken(at_rest=True)
    expect(not broken, f"an invariant is broken: {', '.join(map(str, broken))}")
    return "all invariants hold"


STEPS: Sequence[Callable[[], str]] = (
    migrate,
    embed_in_the_background,
    temporary_disable,
    stop_and_start,
    migration_rollback,
    emergency_stop,
    recovery_of_a_lost_worker,
    recovery_of_an_article,
    complete_removal,
    rest,
)


def _call(command: str, *words: str) -> Any:
    """Runs a command as an operator does; what it printed as JSON, if it did. Raises Broken where it did not work."""
    out = io.StringIO()
    try:
        call_command(command, *words, stdout=out)
    except (CommandError, SystemExit) as error:
        raise Broken(f"{manage(' '.join([command, *words]))} ended with: {error}") from error
    finally:
        modes.forget()
    said = out.getvalue().splitlines()
    return json.loads(said[-1]) if "--json" in words else said


def _admin(*words: str) -> Any:
    return _call("queue_admin", *words, _WHO)


def _set_mode(mode: Mode | None) -> None:
    _admin("mode", mode or "environment", _WHY)


def _save(count: int) -> list[Article]:
    """Articles with words that no other has, through save()."""
    made = []
    for _ in range(count):
        number = next(_numbers)
        article = Article(
            title=f"Drill article w{number}", content=f"Its words are x{number}, y{number} and z{number}."
        )
        article.save()
        made.append(article)
    return made


def _work() -> int:
    """What one worker does until nothing is due; how many tasks it took."""
    return drain(_worker(), seconds=_PATIENCE_SECONDS).tasks


def _worker() -> int:
    """The row of the one worker there is."""
    return (Worker.objects.order_by("pk").first() or worker_registry.register()).pk


def _space() -> Space:
    space = Space.objects.serving()
    expect(space, "no space serves")
    assert space is not None
    return space


def _expect_found(articles: Sequence[Article]) -> None:
    for article in articles:
        expect(article.embeddings.exists(), f"{article.title} has no vectors")
        reply = search(f"{article.title} {article.content}", k=5)
        expect(not reply.degraded, f"a search was answered by words only: {reply.reason}")
        expect(article.slug in [hit.slug for hit in reply.hits], f"{article.title} is not found by meaning")


def _until_found(articles: Sequence[Article]) -> None:
    """Sweeps and works until all of them have vectors."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while not all(article.embeddings.exists() for article in articles) and time.monotonic() < ends:
        sweep.sweep()
        _work()
        time.sleep(0.05)
    _expect_found(articles)


def _of_migration() -> int:
    return Task.objects.live().filter(metadata__reason="migration").count()
