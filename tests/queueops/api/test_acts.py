"""What operators do to the queue over HTTP, and what is refused."""

from typing import Any

import pytest

from access.models import Scope
from embeddings.models import Space
from queueops.api import acts
from queueops.models import AuditLog, Operation, Status, Task, Verb
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from tests.concurrently import another_session
from tests.factories import Api, body, make_token, problem
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db
WHY = {"reason": "the key was renewed"}
ALL = {"filter": {"all": True}, **WHY}


@pytest.fixture
def space() -> Space:
    return make_space()


@pytest.fixture
def api() -> Api:
    _, token = make_token(Scope.OPS, name="night shift")
    return Api(token)


def statuses() -> list[str]:
    return list(Task.objects.order_by("pk").values_list("status", flat=True))


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        ("retry", Status.FAILED, ["pending", "pending"]),
        ("cancel", Status.PENDING, ["cancelled", "cancelled"]),
        ("clear", Status.PENDING, ["cancelled", "cancelled"]),
        ("clear", Status.COMPLETED, []),
    ],
)
def test_an_act_is_an_operation_in_the_tokens_name(
    api: Api, space: Space, verb: str, before: Status, after: list[str]
) -> None:
    make_tasks(2, space, before)
    reply = body(api.post(f"/queue/{verb}", ALL))
    assert (reply["total"], reply["operation"]["changed"], reply["operation"]["state"]) == (2, 2, "done")
    assert statuses() == after
    row = AuditLog.objects.get(operation_id=reply["operation"]["id"], task_id=None)
    assert (row.actor, row.metadata["reason"]) == ("night shift", WHY["reason"])


def test_tasks_get_a_priority(api: Api, space: Space) -> None:
    make_tasks(1, space)
    body(api.post("/queue/prioritize", ALL | {"priority": "high"}))
    assert Task.objects.get().priority == "high"


def test_a_filter_takes_only_what_fits_all_of_it(api: Api, space: Space) -> None:
    make_tasks(1, space, Status.FAILED, error_class="auth", priority="low")
    [other] = make_tasks(1, space, Status.FAILED, error_class="auth")
    chosen = {"status": ["failed"], "error_class": "auth", "priority": "normal"}
    assert body(api.post("/queue/retry", WHY | {"filter": chosen}))["total"] == 1
    other.refresh_from_db()
    assert other.status == "pending"


def test_a_retry_takes_what_was_cancelled_only_when_that_is_named(api: Api, space: Space) -> None:
    make_tasks(1, space, Status.CANCELLED)
    nothing = body(api.post("/queue/retry", ALL))
    assert (nothing["total"], nothing["operation"]) == (0, None)
    body(api.post("/queue/retry", WHY | {"filter": {"status": ["cancelled"]}}))
    assert statuses() == ["pending"]


def test_tasks_named_by_ids_that_it_cannot_be_done_to_are_shown(api: Api, space: Space) -> None:
    [done] = make_tasks(1, space, Status.COMPLETED)
    [waiting] = make_tasks(1, space)
    not_live = "completed: only pending or processing tasks can be cancelled"
    nothing = body(api.post("/queue/cancel", WHY | {"filter": {"ids": [done.pk, 10**9]}}))
    assert (nothing["operation"], nothing["skips"]) == (None, {not_live: 1, "there is no such task": 1})
    partly = body(api.post("/queue/cancel", WHY | {"filter": {"ids": [done.pk, waiting.pk]}}))
    assert (partly["total"], partly["operation"]["changed"], partly["skips"]) == (2, 1, {not_live: 1})


def test_a_dry_run_counts_what_would_be_skipped(api: Api, space: Space) -> None:
    make_tasks(1, space, Status.FAILED)
    look = body(api.post("/queue/clear", ALL | {"dry_run": True}))
    assert (look["total"], sum(look["skips"].values())) == (1, 1)


@pytest.mark.parametrize(
    ("verb", "chosen"), [("cancel", {"status": ["failed"]}), ("retry", {"space": 10**9})]
)
def test_a_filter_that_no_task_can_fit_is_refused(
    api: Api, space: Space, verb: str, chosen: dict[str, Any]
) -> None:
    problem(api.post(f"/queue/{verb}", WHY | {"filter": chosen}), 409)


def test_clearing_by_reason_leaves_what_has_ended(api: Api, space: Space) -> None:
    make_tasks(1, space, metadata={"reason": "migration"})
    make_tasks(1, space, Status.COMPLETED, metadata={"reason": "migration"})
    body(api.post("/queue/clear", WHY | {"filter": {"reason": "migration"}}))
    assert statuses() == ["cancelled", "completed"]


@pytest.mark.parametrize("verb", ["retry", "cancel", "prioritize", "clear"])
def test_a_dry_run_counts_shows_and_changes_nothing(api: Api, space: Space, verb: str) -> None:
    make_tasks(1, space, Status.FAILED)
    make_tasks(1, space)
    reply = body(
        api.post(
            f"/queue/{verb}",
            ALL | {"dry_run": True} | ({"priority": "low"} if verb == "prioritize" else {}),
        )
    )
    assert reply["dry_run"]
    assert reply["total"] == len(reply["sample"]) > 0
    assert statuses() == ["failed", "pending"]
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"filter": {}}, "filter is empty; give a field"),
        ({"filter": {"all": False}}, "must be True"),
        ({"filter": {"ids": []}}, "at least 1"),
        ({"filter": {"status": ["lost"]}}, "must be 'pending'"),
        ({"filter": {"slug": "a\x00"}}, "\\x00"),
        ({"filter": {"older_than_seconds": 0}}, "at least 1"),
        ({"filter": {"ids": [2**63]}}, ": use a whole number from 1 to"),
        ({"filter": {"error_class": "x" * 101}}, "1 to 100"),
        ({"reason": " "}, "reason is empty"),
        ({"reason": "x" * 501}, "1 to 500"),
        ({"everything": True}, "is not a field"),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_a_sentence(api: Api, bad: dict[str, Any], words: str) -> None:
    assert words in problem(api.post("/queue/cancel", ALL | bad), 422)["detail"]


def test_one_task_is_retried_and_cancelled_by_its_id(api: Api, space: Space) -> None:
    [task] = make_tasks(1, space, Status.FAILED)
    assert body(api.post(f"/queue/tasks/{task.pk}/retry", WHY))["operation"]["changed"] == 1
    assert statuses() == ["pending"]
    body(api.post(f"/queue/tasks/{task.pk}/cancel", WHY))
    assert statuses() == ["cancelled"]


def test_an_impossible_change_of_a_task_is_a_conflict(api: Api, space: Space) -> None:
    [task] = make_tasks(1, space, Status.COMPLETED)
    detail = problem(api.post(f"/queue/tasks/{task.pk}/retry", WHY), 409)["detail"]
    assert detail == f"task {task.pk} is completed; it must be failed or cancelled to be requeued"


def test_a_task_whose_article_waits_already_says_so(api: Api, space: Space) -> None:
    [waiting] = make_tasks(1, space)
    failed = Task.objects.create(
        article=waiting.article,
        space=space,
        status="failed",
        completed_at=waiting.created_at,
        outcome="failed",
    )
    detail = problem(api.post(f"/queue/tasks/{failed.pk}/retry", WHY), 409)["detail"]
    assert detail.endswith("was not requeued: the article already has a task that waits")


def test_an_act_on_a_task_that_is_not_there_is_not_found(api: Api) -> None:
    problem(api.post("/queue/tasks/7/cancel", WHY), 404)


def test_an_act_is_taken_back_and_the_taking_back_too(api: Api, space: Space) -> None:
    make_tasks(2, space)
    cancelled = body(api.post("/queue/cancel", ALL))["operation"]["id"]
    dry = body(api.post(f"/queue/operations/{cancelled}/undo", WHY | {"dry_run": True}))
    assert (dry["total"], statuses()) == (2, ["cancelled", "cancelled"])
    undone = body(api.post(f"/queue/operations/{cancelled}/undo", WHY))["operation"]
    assert (undone["undoes"], statuses()) == (cancelled, ["pending", "pending"])
    body(api.post(f"/queue/operations/{undone['id']}/undo", WHY))
    assert statuses() == ["cancelled", "cancelled"]


def test_an_operation_longer_than_a_request_prints_how_to_resume_it(
    api: Api, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "SECONDS", 0.0)
    monkeypatch.setattr(operations.pacing, "FIRST", 2)
    monkeypatch.setattr(operations.pacing, "next_size", lambda size, *_: size)
    make_tasks(5, space)
    reply = body(api.post("/queue/cancel", ALL), 202)
    assert (reply["operation"]["state"], reply["operation"]["changed"]) == ("interrupted", 2)
    resume_url = reply["resume_url"].removeprefix("/api")
    assert body(api.post(resume_url), 202)["operation"]["changed"] == 4
    done = body(api.post(resume_url))
    assert (done["operation"]["state"], done["operation"]["changed"], done["resume_url"]) == ("done", 5, None)
    assert "nothing is left to resume" in problem(api.post(resume_url), 409)["detail"]


def test_an_operation_that_was_interrupted_is_stopped(api: Api, space: Space) -> None:
    make_tasks(1, space)
    begun = operations.begin(Verb.CANCEL, TaskFilter(), actor="ada", reason="a test")
    assert body(api.post(f"/queue/operations/{begun.pk}/stop"))["state"] == "cancelled"
    assert statuses() == ["pending"]
    problem(api.post(f"/queue/operations/{begun.pk}/stop"), 409)


def test_an_operation_that_another_process_carries_out_is_a_conflict(api: Api, space: Space) -> None:
    make_tasks(1, space)
    begun = operations.begin(Verb.CANCEL, TaskFilter(), actor="ada", reason="a test")
    with another_session() as other:
        other.execute(
            "SELECT pg_advisory_lock(hashtext('queueops.operate.operations'), hashtext(%s))", [str(begun.pk)]
        )
        document = problem(api.post(f"/queue/operations/{begun.pk}/resume"), 409)
    assert "another process" in document["detail"]
    assert statuses() == ["pending"]


def test_an_operation_that_changed_no_tasks_cannot_be_undone(api: Api) -> None:
    paused = body(api.post("/queue/pause", WHY))["operation"]
    assert (
        "not an operation on many tasks"
        in problem(api.post(f"/queue/operations/{paused}/undo", WHY), 404)["detail"]
    )
