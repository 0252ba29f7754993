"""Work done by several threads or sessions at once, each with a database connection of its own."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import psycopg
from django.db import connection


def together[T](number: int, work: Callable[[], T]) -> list[T]:
    """What `work` answered in each of so many threads, which begin at the same moment."""
    answers: list[T] = []
    start = threading.Barrier(number)

    def run() -> None:
        start.wait()
        try:
            answers.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == number
    return answers


@contextlib.contextmanager
def another_session() -> Iterator[psycopg.Connection]:
    """A second connection to the test's database; its transaction is rolled back at the end if it is still open."""
    parameters = connection.get_connection_params()
    names = ("dbname", "host", "port", "user", "password")
    session = psycopg.connect(**{name: parameters[name] for name in names if name in parameters})
    try:
        yield session
    finally:
        with contextlib.suppress(psycopg.Error):  # it may have been ended by the server
            session.rollback()  # a mere close lets the locks go some time later
        session.close()


def waiting_sessions() -> int:
    """How many sessions wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])
