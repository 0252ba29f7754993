"""The queue's tables, one model per file."""

from queueops.models.audit import AuditLog, Category, Event, Level
from queueops.models.metric import Metric
from queueops.models.operation import Operation, OperationStatus, Verb
from queueops.models.provider import Breaker, ProviderState
from queueops.models.state import Mode, QueueState
from queueops.models.task import Outcome, Priority, Status, Task
from queueops.models.worker import Worker

__all__ = [
    "AuditLog",
    "Breaker",
    "Category",
    "Event",
    "Level",
    "Metric",
    "Mode",
    "Operation",
    "OperationStatus",
    "Outcome",
    "Priority",
    "ProviderState",
    "QueueState",
    "Status",
    "Task",
    "Verb",
    "Worker",
]
