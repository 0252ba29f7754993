"""`manage.py rundramatiq`: worker processes, each restarted on its own; none without the queue's tables.

The options are django-dramatiq's. Dramatiq's own master runs for the options that only it supports: watching files,
forking functions, gevent. It stops all processes when one of them dies.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError, connection
from django_dramatiq.management.commands import rundramatiq

from queueops.base import installed
from queueops.cli.frame.exit_codes import Exit
from queueops.worker import process_supervisor
from queueops.worker.process import WorkerProcess, note_end

_MASTERS_OWN = ("watch_dir", "use_gevent", "forks")

# A worker's statement waits this long for a lock; then its batch is returned, and nothing is claimed meanwhile.
# libpq reads it if DATABASE_URL has no `options`.
_SESSIONS = ("PGOPTIONS", "-c lock_timeout=5000")


class Command(rundramatiq.Command):  # type: ignore[misc]  # it has no types
    help = "Runs worker processes and restarts each that ends."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--kept-by", type=int, help=argparse.SUPPRESS)
        parser.add_argument("--after", default="", help=argparse.SUPPRESS)

    def handle(self, *arguments: Any, **options: Any) -> None:
        kept_by, after = options.pop("kept_by"), options.pop("after")
        if kept_by:
            self._work(kept_by, after, options)
        if not _has_work():
            raise CommandError(f"no workers started: {installed.missing()}", returncode=Exit.TROUBLE)
        if settings.DATABASE_LOCK_TIMEOUT:
            os.environ.setdefault(*_SESSIONS)
        if any(options[name] for name in _MASTERS_OWN):
            super().handle(*arguments, **options)
        else:
            _become_supervisor(options)

    def _work(self, kept_by: int, after: str, options: dict[str, Any]) -> None:
        """Never returns. It skips the interpreter's shutdown, since a thread may still wait for its provider."""
        if after:
            note_end(after)
        sys.path[:0] = options["path"]
        self.discover_tasks_modules()  # imports them
        sys.stdout.flush()
        WorkerProcess(kept_by).run(options["threads"], options["queues"], options["worker_shutdown_timeout"])
        sys.stderr.flush()
        os._exit(0)


def _become_supervisor(options: dict[str, Any]) -> None:
    worker = [sys.executable, str(settings.BASE_DIR / "manage.py"), "rundramatiq"]
    worker += [
        f"--threads={options['threads']}",
        f"--worker-shutdown-timeout={options['worker_shutdown_timeout']}",
    ]
    for name in ("path", "queues"):
        worker += [f"--{name}", *options[name]] if options[name] else []
    files = [options["pid_file"] or "", options["log_file"] or ""]
    words = ["-I", "-S", str(Path(process_supervisor.__file__)), str(options["processes"]), *files, *worker]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606


def _has_work() -> bool:
    """Whether the queue is installed; without a database, workers start and wait for it."""
    try:
        return installed.look()
    except (DatabaseError, InterfaceError):
        return True
    finally:
        connection.close()
