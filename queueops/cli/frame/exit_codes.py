"""How the command ends: the exit codes that scripts may trust, and the refusal that is a sentence."""

from enum import IntEnum


class Exit(IntEnum):
    """Said of a question: yes, not quite, no. Said of an act: done, partly done, not possible, or refused."""

    OK = 0  # well, drained, done
    PARTLY = 1  # degraded; timed out; some of the rows could not be acted on, or more are left
    TROUBLE = 2  # down; paused or stuck; the database does not answer; the words were not understood
    REFUSED = (
        3  # nothing was changed: no reason given, not agreed to, no such task, a file that cannot be taken
    )
    INTERRUPTED = 130  # Ctrl-C; what was done until then is kept


class Refused(Exception):
    """Why nothing was changed, in one sentence, and what to do instead."""

    def __init__(self, sentence: str, exit: Exit = Exit.REFUSED) -> None:
        super().__init__(sentence)
        self.exit = exit
