"""How far a partly embedded article is, at which rate, and when it will be done."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from embeddings.models import Space
from queueops.monitoring import chunk_progress
from queueops.monitoring.chunk_progress import STALLED_SECONDS, ChunkProgress
from tests.queueops.factories import make_tasks

DONE_AT = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (
            ChunkProgress(2_000, 1_000, 2.5, DONE_AT, 1.0),
            "1,000 of 2,000 chunks embedded, 2.5 per second, done by 2026-01-31 12:30 UTC",
        ),
        (ChunkProgress(5, 1, 0.0, None, None), "1 of 5 chunks embedded, none in the last minute"),
        (
            ChunkProgress(5, 1, 0.0, None, STALLED_SECONDS - 1),
            "1 of 5 chunks embedded, none in the last minute",
        ),
        (ChunkProgress(5, 1, 0.0, None, STALLED_SECONDS), "1 of 5 chunks embedded, none for 3 min"),
    ],
)
def test_progress_is_said_with_its_rate_or_since_when_there_is_none(
    progress: ChunkProgress, words: str
) -> None:
    assert str(progress) == words


def test_the_time_is_that_of_utc_wherever_it_was_read() -> None:
    east = DONE_AT.astimezone(timezone(timedelta(hours=9)))
    assert str(ChunkProgress(2, 1, 1.0, east, 1.0)).endswith("done by 2026-01-31 12:30 UTC")


@pytest.mark.django_db
def test_a_task_without_kept_chunks_has_no_progress(space: Space) -> None:
    [task] = make_tasks(1, space)
    assert chunk_progress.of_task(task.pk) is None
    assert chunk_progress.of_task(0) is None
