"""Exit codes, which scripts may rely on, and the exception for a refusal."""

from enum import IntEnum


class Exit(IntEnum):
    """docs/commands.md has the same table."""

    OK = 0  # healthy, drained, done
    PARTLY = 1  # degraded; timed out; some rows were skipped, or more are left
    TROUBLE = 2  # down; paused or stuck; no connection to the database; invalid options
    REFUSED = 3  # nothing was changed: no reason, not confirmed, unknown task, invalid file
    INTERRUPTED = 130  # Ctrl-C; completed work is kept


class Refused(Exception):
    """Why nothing was changed, and what to do instead, in one sentence."""

    def __init__(self, sentence: str, exit: Exit = Exit.REFUSED) -> None:
        super().__init__(sentence)
        self.exit = exit
