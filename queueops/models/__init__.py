"""The queue's tables, one noun a file."""

from queueops.models.audit import AuditLog, Level
from queueops.models.metric import Metric
from queueops.models.state import Mode, QueueState
from queueops.models.task import Outcome, Priority, Status, Task
from queueops.models.worker import Worker

__all__ = [
    "AuditLog",
    "Level",
    "Metric",
    "Mode",
    "Outcome",
    "Priority",
    "QueueState",
    "Status",
    "Task",
    "Worker",
]
