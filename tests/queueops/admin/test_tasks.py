"""The list of tasks: what it shows, finds, and lets nobody write."""

import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from queueops.models import Status, Task
from tests.admin_rows import make_person
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db
URL = reverse("admin:queueops_task_changelist")


@pytest.fixture
def space():
    return make_space()


@pytest.fixture
def operator(client):
    client.force_login(
        make_person("ada", "queueops.view_task", "queueops.requeue_task", "queueops.cancel_task")
    )
    return client


def test_tasks_and_records_cannot_be_written_in_the_admin(client, space):
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    [task] = make_tasks(1, space, Status.FAILED)
    for model in ("task", "worker", "queuestate", "auditlog", "metric"):
        assert client.get(reverse(f"admin:queueops_{model}_add")).status_code == 403
    assert (
        client.post(reverse("admin:queueops_task_change", args=[task.pk]), {"status": "pending"}).status_code
        == 403
    )
    assert (
        client.post(reverse("admin:queueops_task_delete", args=[task.pk]), {"post": "yes"}).status_code == 403
    )


def test_the_errors_of_the_newest_failures_can_be_chosen(operator, space):
    make_tasks(1, space, Status.FAILED, error_class="auth")
    make_tasks(1, space, Status.FAILED, error_class="too_long", priority="high")
    page = operator.get(f"{URL}?error=auth").content.decode()
    assert re.search(r'<option[^>]*value="too_long"', page)
    assert Task.objects.get(error_class="auth").slug in page
