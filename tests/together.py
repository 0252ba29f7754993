"""Work done by several threads at once, each with a database connection of its own."""

import threading
from collections.abc import Callable

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
