"""What operators read of the queue over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client

from access.models import Scope
from embeddings.models import Space
from queueops.models import AuditLog, Status, Task
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import controls, operations
from tests.factories import Api, body, make_token, problem
from tests.queueops.factories import make_article, make_space, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


@pytest.fixture
def api() -> Api:
    return Api()


def ids(reply: Any) -> list[int]:
    return [task["id"] for task in reply["tasks"]]


def test_the_queue_reads_as_stats_shows_it(api: Api, client: Client, space: Space) -> None:
    make_tasks(3, space)
    stats = client.get("/stats", headers={"authorization": f"Bearer {api.token}"}).json()
    found = body(api.get("/queue"))
    assert found["tasks"]["pending"] == 3
    assert found.keys() == stats.keys()


@pytest.mark.parametrize(
    "path", ["/queue", "/queue/tasks", "/queue/tasks/1", "/queue/operations", "/queue/audit"]
)
def test_a_token_without_the_scope_is_refused(path: str) -> None:
    _, token = make_token(Scope.READ, Scope.WRITE)
    assert "lacks the scope 'ops'" in problem(Api(token).get(path), 403)["detail"]


def test_pages_of_tasks_follow_one_another_to_the_last(api: Api, space: Space) -> None:
    made = [task.pk for task in make_tasks(5, space)]
    seen: list[int] = []
    page = body(api.get("/queue/tasks?limit=2"))
    seen += ids(page)
    while page["next"]:
        page = body(api.get(f"/queue/tasks?limit=2&after={page['next']}"))
        seen += ids(page)
    assert seen == sorted(made, reverse=True)


def test_each_filter_narrows(api: Api, space: Space) -> None:
    [failed] = make_tasks(1, space, Status.FAILED, error_class="auth", metadata={"reason": "migration"})
    [old] = make_tasks(1, space, Status.CANCELLED, priority="low")
    Task.objects.filter(pk=old.pk).update(created_at=Now() - timedelta(hours=2))
    for query, expected in {
        "status=failed": [failed.pk],
        "status=failed&status=cancelled": [old.pk, failed.pk],
        "error_class=auth": [failed.pk],
        "reason=migration": [failed.pk],
        "priority=low": [old.pk],
        "older_than_seconds=3600": [old.pk],
        "newer_than_seconds=3600": [failed.pk],
        f"space={space.pk}": [old.pk, failed.pk],
        f"space={space.pk + 1}": [],
        f"slug={failed.slug}": [failed.pk],
        "status=failed&priority=low": [],
    }.items():
        assert ids(body(api.get(f"/queue/tasks?{query}"))) == expected, query


@pytest.mark.parametrize(
    "query", ["status=lost", "limit=0", "limit=201", "after=0", "slug=%00", "older_than_seconds=x"]
)
def test_an_invalid_filter_is_refused_in_a_sentence(api: Api, query: str) -> None:
    document = problem(api.get(f"/queue/tasks?{query}"), 422)
    assert query.partition("=")[0] in document["errors"][0]["field"]


def test_a_tasks_story_says_why_it_does_not_run(api: Api, space: Space) -> None:
    article = make_article()
    task = Task.objects.get()
    told = body(api.get(f"/queue/tasks/{task.pk}"))
    assert told["article"]["slug"] == article.slug
    assert told["why"].startswith(f"Task {task.pk} waits for a worker")


def test_a_task_that_is_not_there_is_not_found(api: Api) -> None:
    assert problem(api.get("/queue/tasks/7"), 404)["detail"].startswith("task 7 not found")


def test_operations_are_read_in_pages_and_one_by_one(api: Api, space: Space) -> None:
    make_tasks(2, space)
    first = operations.cancel(TaskFilter(), actor="ada", reason="one")
    second = operations.requeue(TaskFilter(), actor="ada", reason="two")
    page = body(api.get("/queue/operations?limit=1"))
    assert [each["id"] for each in page["operations"]] == [str(second.pk)]
    last = body(api.get(f"/queue/operations?limit=1&after={page['next']}"))
    assert ([each["reason"] for each in last["operations"]], last["next"]) == (["one"], None)
    assert body(api.get(f"/queue/operations/{first.pk}"))["changed"] == 2


def test_an_operation_that_is_not_there_is_not_found_and_nothing_follows_it(api: Api) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    problem(api.get(f"/queue/operations/{unknown}"), 404)
    assert body(api.get(f"/queue/operations?after={unknown}")) == {"operations": [], "next": None}


def test_without_the_queues_tables_the_answer_says_what_to_do(api: Api, space: Space) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE embedding_tasks RENAME TO somewhere_else")
        reply = api.get("/queue/tasks")
        transaction.set_rollback(True)
    assert "python manage.py migrate" in problem(reply, 503)["detail"]


def test_single_operations_are_listed_with_the_others_and_read_one_by_one(api: Api) -> None:
    stopped = controls.stop(actor="ada", reason="an upgrade")
    controls.start(actor="bob")
    [row] = body(api.get("/queue/operations?verb=stop"))["operations"]
    assert (row["id"], row["verb"], row["state"]) == (str(stopped), "stop", "done")
    assert [each["verb"] for each in body(api.get("/queue/operations?actor=bob"))["operations"]] == ["start"]
    assert body(api.get(f"/queue/operations/{stopped}"))["reason"] == "an upgrade"
    assert api.get("/queue/operations?verb=halt").status_code == 422


def test_the_audit_log_is_read_without_sign_ins(api: Api) -> None:
    AuditLog.objects.create(category="access", message="sign-in", actor="ada")
    operation = controls.stop(actor="ada", reason="an upgrade")
    for query in ("actor=ada", "category=operator&actor=ada", f"operation={operation}"):
        [entry] = body(api.get(f"/queue/audit?{query}&newer_than_seconds=60"))["entries"]
        assert (entry["message"], entry["reason"]) == ("queue stopped", "an upgrade")


@pytest.mark.parametrize(
    "query",
    [
        "category=access",
        "event=x",
        "level=loud",
        "task=0",
        "limit=201",
        "actor=%00",
        "operation=7",
    ],
)
def test_a_filter_that_no_entry_can_match_is_refused(api: Api, query: str) -> None:
    assert api.get(f"/queue/audit?{query}").status_code == 422


def test_pages_of_the_audit_log_follow_one_another(api: Api) -> None:
    for number in range(3):
        AuditLog.objects.create(category="sweep", message=f"row {number}")
    page = body(api.get("/queue/audit?limit=2&category=sweep"))
    rest = body(api.get(f"/queue/audit?limit=2&category=sweep&after={page['next']}"))
    found = [entry["message"] for entry in (*page["entries"], *rest["entries"])]
    assert (found, rest["next"]) == (["row 2", "row 1", "row 0"], None)


def test_failures_that_still_matter_can_be_asked_for(api: Api, space: Space) -> None:
    [open_one, repaired] = make_tasks(2, space, Status.FAILED)
    Task.objects.create(article=repaired.article, space=space)
    assert ids(body(api.get("/queue/tasks?open=true"))) == [open_one.pk]
    [row] = body(api.get("/queue/tasks?open=true&error_class=unknown"))["tasks"]
    assert row["is_open"] is True
    assert api.get("/queue/tasks?open=false").status_code == 422
