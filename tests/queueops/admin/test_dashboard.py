"""The status panel on the admin's first page."""

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from embeddings.models import Space
from queueops.admin import dashboard
from queueops.monitoring.health import Condition
from queueops.monitoring.snapshot import COUNT_LIMIT
from tests.admin_rows import make_person
from tests.queueops.factories import make_space, make_tasks
from tests.queueops.monitoring.test_snapshot import make_current

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def test_the_status_panel_is_for_those_who_may_see_tasks(client: Client, space: Space) -> None:
    make_tasks(1234, space)
    client.force_login(make_person("bob", "queueops.view_task"))
    page = client.get("/admin/").content.decode()
    assert "1,234" in page
    assert "Found by meaning" in page
    client.force_login(make_person("eve"))
    assert "Found by meaning" not in client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0"), (999, "999"), (1_234, "1,234"), (COUNT_LIMIT - 1, f"{COUNT_LIMIT - 1:,}"), (COUNT_LIMIT, "+")],
)
def test_a_count_says_at_least_where_counting_stopped(count: int, told: str) -> None:
    assert dashboard.number(count).endswith(told)
    assert dashboard.number(10 * COUNT_LIMIT) == f"{COUNT_LIMIT:,}+"


def test_every_condition_has_a_word_and_a_tone() -> None:
    assert set(dashboard.VERDICTS) == {str(condition) for condition in Condition}


@pytest.mark.parametrize(("embedded", "percent"), [(0, "0"), (1, "33.3"), (2, "66.6"), (3, "100")])
def test_the_share_of_articles_is_rounded_down_so_that_100_means_all(
    rf: RequestFactory, space: Space, embedded: int, percent: str
) -> None:
    for task in make_tasks(3, space)[:embedded]:
        make_current(task.article, space)
    request = rf.get("/")
    request.user = User(is_superuser=True, is_active=True)
    panel = dashboard.add_status(request, {})["panel"]
    assert (panel["articles"], panel["embedded"], panel["percent"]) == ("3", str(embedded), percent)
    links = [figure["link"] for figure in panel["figures"]]
    assert len(set(links)) == len(links) == 5
