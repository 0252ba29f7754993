"""The first corpus: the documentation of Python's standard library, imported and embedded at first start."""

from django.conf import settings
from django.db import OperationalError, connection

from articles.models import Article
from config.stack import services
from config.stack.firststart import FirstImport, release_connections
from config.stack.processes import Process
from config.stack.supervisor import Supervisor
from config.stack.terminal import SearchableArticles
from embeddings.models import Space
from embeddings.storage import coverage
from lib.manage_command import manage
from queueops.models import Task

SECONDS_BETWEEN_LOOKS = 0.5


def import_corpus(supervisor: Supervisor) -> None:
    """Imports it if this installation never did and has no articles; returns once it is searchable."""
    first_import = FirstImport(settings.DATA_DIR)
    try:
        if not first_import.wanted(articles=Article.objects.count()):
            return
        first_import.begun()
        supervisor.report.say(
            "importing the documentation of Python's standard library: something to search in"
        )
        importing = services.manage("import", "import_articles", "--pydoc")
        supervisor.begin(importing)
        await_searchable(supervisor, importing)
    finally:
        release_connections()
    if importing.returncode == 0:
        first_import.done()
        supervisor.report.say("the first corpus is searchable")
    else:
        again = f"to run it again: {manage('import_articles --pydoc')}"
        supervisor.report.say(f"the first import {importing.describe_end()}; {again}")


def await_searchable(supervisor: Supervisor, importing: Process) -> None:
    """Shows how many articles can be found, until the import has ended and no task is left."""
    with SearchableArticles(supervisor.report) as progress:
        while look(progress) or not importing.exited.is_set():
            supervisor.pause(SECONDS_BETWEEN_LOOKS)


def look(progress: SearchableArticles) -> bool:
    """Brings the display up to date; whether work is left."""
    try:
        space = Space.objects.serving()
        if space is not None:
            known = coverage.of(space)
            progress.show(known.current, known.articles)
        return Task.objects.live().exists()
    except OperationalError:  # Postgres is being started again
        connection.close()
        return True
