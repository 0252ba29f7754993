"""The status panel on the admin's first page."""

import pytest

from tests.admin_rows import make_person
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def space():
    return make_space()


def test_the_status_panel_is_for_those_who_may_see_tasks(client, space):
    make_tasks(1234, space)
    client.force_login(make_person("bob", "queueops.view_task"))
    page = client.get("/admin/").content.decode()
    assert "1,234" in page
    assert "Found by meaning" in page
    client.force_login(make_person("eve"))
    assert "Found by meaning" not in client.get("/admin/").content.decode()
