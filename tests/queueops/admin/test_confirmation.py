"""Requeueing and cancelling from the admin: asked twice, allowed to few, and written down."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from embeddings.models import Space
from queueops.models import AuditLog, Status, Task
from tests.admin_rows import NASTY, make_person
from tests.queueops.factories import make_space, make_tasks
from tests.responses import Response

pytestmark = pytest.mark.django_db
URL = reverse("admin:queueops_task_changelist")
ACTIONS = {"requeue_tasks": "failed", "cancel_tasks": "pending"}


@pytest.fixture
def space() -> Space:
    return make_space()


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(
        make_person("ada", "queueops.view_task", "queueops.requeue_task", "queueops.cancel_task")
    )
    return client


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_person("bob", "queueops.view_task"))
    return client


def act(client: Client, action: str, tasks: Sequence[Task], **fields: Any) -> Response:
    chosen = {"action": action, "_selected_action": [task.pk for task in tasks], "select_across": "0"}
    return client.post(URL, chosen | fields)


@pytest.mark.parametrize(("action", "status"), ACTIONS.items())
def test_an_act_asks_first_and_changes_nothing(
    operator: Client, space: Space, action: str, status: str
) -> None:
    tasks = make_tasks(2, space, status)
    page = act(operator, action, tasks).content.decode()
    assert "2 tasks?" in page
    assert 'name="reason"' in page
    assert set(Task.objects.values_list("status", flat=True)) == {status}
    assert not AuditLog.objects.exists()


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [("requeue_tasks", "failed", "pending"), ("cancel_tasks", "pending", "cancelled")],
)
def test_a_confirmed_operation_is_done_shown_and_audited(
    operator: Client, space: Space, action: str, before: str, after: str
) -> None:
    tasks = make_tasks(2, space, before)
    response = operator.post(
        URL,
        {
            "action": action,
            "_selected_action": [task.pk for task in tasks],
            "select_across": "0",
            "confirmed": "yes",
            "reason": "the provider is back",
        },
        follow=True,
    )
    assert "2 tasks" in response.content.decode()
    assert set(Task.objects.values_list("status", flat=True)) == {after}
    entry = AuditLog.objects.get(task_id=None)
    assert (entry.actor, entry.metadata["reason"]) == ("ada", "the provider is back")


def test_only_the_selected_tasks_are_acted_on(operator: Client, space: Space) -> None:
    chosen, other = make_tasks(2, space, Status.FAILED)
    act(operator, "requeue_tasks", [chosen], confirmed="yes", reason="again")
    other.refresh_from_db()
    assert other.status == "failed"


def test_selecting_across_pages_acts_on_what_the_filter_matches(operator: Client, space: Space) -> None:
    failed = make_tasks(3, space, Status.FAILED)
    make_tasks(2, space, Status.CANCELLED)
    fields = {"select_across": "1", "confirmed": "yes", "reason": "again"}
    chosen = {"action": "requeue_tasks", "_selected_action": [failed[0].pk]}
    operator.post(f"{URL}?status__exact=failed", chosen | fields)
    assert sorted(Task.objects.values_list("status", flat=True)) == ["cancelled"] * 2 + ["pending"] * 3


def test_the_page_that_asks_says_what_will_be_left_alone(operator: Client, space: Space) -> None:
    tasks = make_tasks(2, space, Status.FAILED) + make_tasks(1, space, Status.COMPLETED)
    page = act(operator, "requeue_tasks", tasks).content.decode()
    assert "Requeue 2 tasks?" in page
    assert "1 of the selected tasks is not failed or cancelled" in page


def test_where_nothing_can_be_done_nothing_is_offered(operator: Client, space: Space) -> None:
    tasks = make_tasks(1, space, Status.COMPLETED)
    page = act(operator, "requeue_tasks", tasks).content.decode()
    assert "No task to requeue" in page
    assert 'name="reason"' not in page


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_an_act_without_a_fitting_reason_asks_again(operator: Client, space: Space, reason: str) -> None:
    tasks = make_tasks(1, space, Status.FAILED)
    response = act(operator, "requeue_tasks", tasks, confirmed="yes", reason=reason)
    assert response.status_code == 200
    assert Task.objects.get().status == "failed"


@pytest.mark.parametrize(("action", "status"), ACTIONS.items())
def test_a_viewer_neither_sees_nor_forges_an_act(
    viewer: Client, space: Space, action: str, status: str
) -> None:
    tasks = make_tasks(1, space, status)
    assert action not in viewer.get(URL).content.decode()
    act(viewer, action, tasks, confirmed="yes", reason="because")
    assert Task.objects.get().status == status
    assert not AuditLog.objects.exists()


def test_each_act_needs_its_own_permission(client: Client, space: Space) -> None:
    client.force_login(make_person("eve", "queueops.view_task", "queueops.requeue_task"))
    page = client.get(URL).content.decode()
    assert "requeue_tasks" in page
    assert "cancel_tasks" not in page
    tasks = make_tasks(1, space)
    act(client, "cancel_tasks", tasks, confirmed="yes", reason="because")
    assert Task.objects.get().status == "pending"


@pytest.mark.parametrize(("action", "status"), ACTIONS.items())
def test_a_get_acts_on_nothing(operator: Client, space: Space, action: str, status: str) -> None:
    [task] = make_tasks(1, space, status)
    query: dict[str, str | int] = {
        "action": action,
        "_selected_action": task.pk,
        "confirmed": "yes",
        "reason": "because",
    }
    operator.get(URL, query)
    assert Task.objects.get().status == status


def test_an_act_without_the_forms_token_is_refused(space: Space) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    tasks = make_tasks(1, space, Status.FAILED)
    assert act(strict, "requeue_tasks", tasks, confirmed="yes", reason="because").status_code == 403
    assert Task.objects.get().status == "failed"


def test_user_input_is_text_on_the_confirmation_page_too(operator: Client, space: Space) -> None:
    tasks = make_tasks(1, space, Status.FAILED)
    Task.objects.update(slug=NASTY)
    page = act(operator, "requeue_tasks", tasks, confirmed="yes", reason=NASTY + "x" * 600).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
