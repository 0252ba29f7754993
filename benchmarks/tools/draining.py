"""A prepared backlog behind the pause, released with one wake-up, and how fast it is processed."""

from benchmarks.tools import writing
from benchmarks.tools.report import percentile
from benchmarks.tools.stack import Stack

# the first of them are claimed while only one worker has heard the bell
FROM_SHARE = 0.05
_ENDS = "SELECT extract(epoch FROM completed_at)::float8 FROM embedding_tasks WHERE completed_at IS NOT NULL"


def fill(stack: Stack, count: int) -> None:
    """Only `count` articles with a task each, which cannot be claimed yet."""
    stack.empty()
    stack.database.execute("UPDATE queue_state SET is_paused = true")
    writing.write_articles(stack, count, with_tasks=True)
    stack.settle_down()


def resume(stack: Stack) -> None:
    """Ends the pause and rings."""
    stack.database.execute("UPDATE queue_state SET is_paused = false")
    stack.load("queueops.wakeups.doorbell.ring")()


def speed(stack: Stack) -> float:
    """Documents a second between 5% and 100% of those whose task has ended."""
    ended: list[float] = [moment for (moment,) in stack.database.execute(_ENDS).fetchall()]
    return len(ended) * (1 - FROM_SHARE) / max(max(ended) - percentile(ended, FROM_SHARE), 0.001)
