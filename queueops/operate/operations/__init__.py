"""What operators do to many tasks, from the shell, over REST or in the admin: each act is an operation, a durable row
that is counted before it starts, works in short batches, can be stopped, resumed after a kill, and mostly undone."""

from queueops.models.audit import ReasonMissing
from queueops.operate.operations.policies import POLICIES
from queueops.operate.operations.runner import (
    OperationError,
    Preview,
    begin,
    carry_out,
    find,
    preview,
    resumable,
    resume,
    stop,
)
from queueops.operate.operations.verbs import cancel, clear, prioritize, release, requeue, undo, undoable

__all__ = [
    "POLICIES",
    "OperationError",
    "Preview",
    "ReasonMissing",
    "begin",
    "cancel",
    "carry_out",
    "clear",
    "find",
    "preview",
    "prioritize",
    "release",
    "requeue",
    "resumable",
    "resume",
    "stop",
    "undo",
    "undoable",
]
