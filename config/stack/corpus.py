"""The first corpus: the documentation of Python's standard library, imported and embedded at first start."""

from django.conf import settings
from django.db import OperationalError, connection
from rich.progress import Progress, TaskID

from articles.models import Article
from config.stack import members
from config.stack.firststart import FirstImport, release_connections
from config.stack.processes import Process
from config.stack.report import progress_bar
from config.stack.supervisor import Supervisor
from embeddings import coverage
from embeddings.models import Space
from queueops.models import Task

SECONDS_BETWEEN_LOOKS = 0.5


def import_corpus(supervisor: Supervisor) -> None:
    """Imports it if this installation never did and has no articles; returns once it is searchable."""
    first_import = FirstImport(settings.DATA_DIR)
    try:
        if not first_import.wanted(articles=Article.objects.count()):
            return
        first_import.begun()
        importing = members.manage("import", "import_articles", "--pydoc")
        supervisor.begin(importing)
        await_searchable(supervisor, importing)
    finally:
        release_connections()
    if importing.returncode == 0:
        first_import.done()
        supervisor.report.say("the first corpus is searchable")
    else:
        again = "./dev manage import_articles --pydoc runs it again"
        supervisor.report.say(f"the first import {importing.describe_end()}; {again}")


def await_searchable(supervisor: Supervisor, importing: Process) -> None:
    """Shows how many articles can be found, until the import has ended and no task is left."""
    with progress_bar(supervisor.report) as bar:
        row = bar.add_task("searchable articles", total=None)
        while show_progress(bar, row) or not importing.exited.is_set():
            supervisor.pause(SECONDS_BETWEEN_LOOKS)


def show_progress(bar: Progress, row: TaskID) -> bool:
    """Brings the bar up to date; whether work is left."""
    try:
        space = Space.objects.serving()
        if space is not None:
            known = coverage.of(space)
            bar.update(row, total=known.articles or None, completed=known.current)
        return Task.objects.live().exists()
    except OperationalError:  # Postgres is being started again
        connection.close()
        return True
