"""Addresses of the admin that hold what no text can hold are refused, not passed on to the database."""

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client

from tests.admin_rows import MODELS, list_url, make_everything

pytestmark = pytest.mark.django_db
PARAMETERS = [
    "q",
    "o",
    "p",
    "id",
    "name",
    "error",
    "slug",
    "title",
    "category",
    "status__exact",
    "space__id__exact",
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_nul_in_a_list_s_address_is_refused(client: Client, model: type[Model]) -> None:
    make_everything()
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    for parameter in PARAMETERS:
        assert client.get(f"{list_url(model)}?{parameter}=%00").status_code == 400


def test_other_pages_answer_for_themselves(client: Client) -> None:
    assert client.get("/?q=%00").status_code < 500
