"""The list of tasks: what it shows, finds, and lets nobody write."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.db.models import JSONField, Value
from django.db.models.functions import Now
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from embeddings.models import Space
from queueops.admin import tasks
from queueops.models import Status, Task
from tests.admin_rows import NASTY, make_person
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db
URL = reverse("admin:queueops_task_changelist")


@pytest.fixture
def space() -> Space:
    return make_space()


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(
        make_person("ada", "queueops.view_task", "queueops.requeue_task", "queueops.cancel_task")
    )
    return client


def test_tasks_and_records_cannot_be_written_in_the_admin(client: Client, space: Space) -> None:
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


def test_the_errors_of_the_newest_failures_can_be_chosen(operator: Client, space: Space) -> None:
    make_tasks(1, space, Status.FAILED, error_class="auth")
    make_tasks(1, space, Status.FAILED, error_class="too_long", priority="high")
    page = operator.get(f"{URL}?error=auth").content.decode()
    assert re.search(r'<option[^>]*value="too_long"', page)
    assert Task.objects.get(error_class="auth").slug in page


def found(term: str) -> set[int]:
    rows, _ = site._registry[Task].get_search_results(HttpRequest(), Task.objects.all(), term)
    return set(rows.values_list("pk", flat=True))


def test_a_task_is_found_by_its_id_its_articles_id_or_the_beginning_of_the_slug(space: Space) -> None:
    first, other = make_tasks(2, space)
    Task.objects.filter(pk=first.pk).update(id=10**6)
    assert found(str(10**6)) == {10**6}
    assert other.pk in found(str(other.pk))
    assert other.pk in found(str(other.article_id))
    assert found(other.slug) == {other.pk}
    assert found(other.slug[:-1]) == {10**6, other.pk}


@pytest.mark.parametrize("term", ["nothing", "-1", "9" * 40, "%", "_", "' OR 1=1 --", "x" * 5_000])
def test_an_id_without_a_task_finds_none(space: Space, term: str) -> None:
    make_tasks(1, space)
    assert found(term) == set()


@pytest.mark.parametrize(
    ("fields", "cell"),
    [
        ({"status": "pending", "scheduled_at": Now() - timedelta(minutes=5)}, "due"),
        ({"status": "pending", "scheduled_at": Now() + timedelta(minutes=5)}, "in 5 min"),
        ({"status": "failed"}, "-"),
    ],
)
def test_the_next_run_of_a_pending_task_is_shown(
    operator: Client, space: Space, fields: dict[str, Any], cell: str
) -> None:
    make_tasks(1, space, **fields)
    page = operator.get(URL).content.decode()
    assert re.search(rf"field-next_run[^>]*>\s*(<[^>]*>\s*)*{cell}\b|field-next_run[^>]*>\s*{cell}", page)


@pytest.mark.parametrize("error", ["unknown", "' OR 1=1", ""])
def test_an_error_that_none_of_the_newest_has_filters_nothing(
    operator: Client, space: Space, error: str
) -> None:
    make_tasks(1, space, Status.FAILED, error_class="auth")
    assert len(operator.get(URL, {"error": error}).context["cl"].result_list) == 1


@pytest.mark.parametrize("metadata", [[], None, "edit", 5, {"reason": NASTY}])
def test_whatever_plain_sql_wrote_a_tasks_page_opens(operator: Client, space: Space, metadata: Any) -> None:
    [task] = make_tasks(1, space)
    Task.objects.update(metadata=Value(metadata, JSONField()))
    page = operator.get(reverse("admin:queueops_task_change", args=[task.pk]))
    assert page.status_code == 200
    assert NASTY not in page.content.decode()


@pytest.mark.parametrize(
    ("failure", "shown"), [("open", {"open"}), ("not_open", {"repaired"}), ("anything", set())]
)
def test_failures_that_still_matter_are_listed_apart(
    operator: Client, space: Space, failure: str, shown: set[str]
) -> None:
    still, repaired = make_tasks(2, space, Status.FAILED)
    Task.objects.create(article=repaired.article, space=space)
    page = operator.get(f"{URL}?failure={failure}").content.decode()
    slugs = {"open": still.slug, "repaired": repaired.slug}
    assert {name for name, slug in slugs.items() if f">{slug}<" in page} == shown


@pytest.mark.parametrize(("asked", "count"), [("failure=open", "2+"), ("status__exact=failed", "3")])
def test_open_failures_are_counted_less_far(
    operator: Client, space: Space, monkeypatch: pytest.MonkeyPatch, asked: str, count: str
) -> None:
    monkeypatch.setattr(tasks, "OPEN_COUNT_LIMIT", 2)
    make_tasks(3, space, Status.FAILED)
    changelist = operator.get(f"{URL}?{asked}").context["cl"]
    assert str(changelist.result_count) == count
