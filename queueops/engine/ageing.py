"""How much of a claim goes to the tasks that have waited longest, whatever their rank; pure."""

from datetime import timedelta

# A task that is due for this long has aged: it may take one of the slots kept for the old.
AGED_AFTER = timedelta(minutes=5)
# One slot in ten: fresh edits keep nine tenths of the speed however much has piled up behind them, and a task with
# p aged tasks before it is claimed after at most 10 × (p + 1) claims of others.
_SHARE = 10


def slots_for_aged(batch_size: int, draw: float) -> int:
    """How many of a claim's slots the longest-waiting tasks get.

    `draw` in [0, 1) settles the fraction that a small batch leaves: a batch of 1 gives its slot away one time in ten.
    """
    return int(batch_size / _SHARE + draw)
