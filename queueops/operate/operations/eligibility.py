"""What an operator names that an act cannot be done to: tasks by their ids, and filters that no task can fit."""

from embeddings.models import Space
from queueops.models import Operation, Task, Verb
from queueops.monitoring.task_filter import SelectionError, TaskFilter, refuse_unknown_words
from queueops.operate.operations import policies

NO_SUCH_TASK = "there is no such task"
NOT_FITTING = "it is so already, or does not fit the other filters"


def left_out(operation: Operation) -> dict[int, str]:
    """Of tasks that were named by their ids, those that the operation passes over from the start, and why."""
    if not (named := TaskFilter.from_json(operation.scope).ids):
        return {}
    left = set(named).difference(policies.of(operation).candidates(operation).values_list("pk", flat=True))
    found = dict(Task.objects.filter(pk__in=left).values_list("pk", "status"))
    return {task_id: _why_not(Verb(operation.verb), found.get(task_id)) for task_id in sorted(left)}


def refuse_contradictions(verb: Verb, selection: TaskFilter) -> None:
    """Raises SelectionError for a filter that no task can match: a status the verb is not for, or an unknown space,
    error class or reason."""
    if wrong := [status for status in selection.statuses if status not in policies.POLICIES[verb].statuses]:
        raise SelectionError(f"{wrong[0]} tasks cannot be {verb.acted}: {_possible(verb)}")
    refuse_unknown_words(selection)
    if selection.space and not Space.objects.filter(pk=selection.space).exists():
        known = ", ".join(map(str, Space.objects.order_by("pk").values_list("pk", flat=True)))
        raise SelectionError(f"unknown embedding space {selection.space}; known: {known or 'none'}")


def _why_not(verb: Verb, status: str | None) -> str:
    if status is None:
        return NO_SUCH_TASK
    return NOT_FITTING if status in policies.POLICIES[verb].statuses else f"{status}: {_possible(verb)}"


def _possible(verb: Verb) -> str:
    return f"only {' or '.join(policies.POLICIES[verb].statuses)} tasks can be {verb.acted}"
