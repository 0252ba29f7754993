"""The share of a claim reserved for the tasks that have waited longest, whatever their priority; pure."""

from datetime import timedelta

# A task that has been due for this long has aged: it may take one of the slots reserved for aged tasks.
AGED_AFTER = timedelta(minutes=5)
# One slot in ten: fresh edits keep nine tenths of the throughput however long the backlog, and a task with p aged
# tasks before it is claimed after at most 10 × (p + 1) claims of others.
_SHARE = 10


def slots_for_aged(batch_size: int, draw: float) -> int:
    """The number of slots of a claim for the tasks that have waited longest.

    `draw` in [0, 1) rounds the fraction of a small batch: a batch of 1 gives its slot to an aged task one time in ten.
    """
    return int(batch_size / _SHARE + draw)
