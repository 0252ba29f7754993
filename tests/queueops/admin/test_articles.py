"""The admin's list of articles, with how each is found."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from embeddings.models import Space
from queueops.models import Status
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def test_the_list_of_articles_says_how_each_is_found(client: Client, space: Space) -> None:
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    make_tasks(1, space, Status.FAILED)
    make_tasks(1, space, Status.PENDING)
    page = client.get(reverse("admin:articles_article_changelist")).content.decode()
    assert re.findall(r">\s*(failed|pending)\s*</span>", page) == ["pending", "failed"]
