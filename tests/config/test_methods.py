"""HEAD wherever GET is, and no method that ends in an error of ours, at every address of the site."""

import http.client
import re

import pytest
from django.test import Client
from pytest_django import Settings

from access.models import Scope
from articles.models import Article
from config.api import api
from queueops.models import Task
from tests.factories import make_token
from tests.queueops.factories import make_space

pytestmark = pytest.mark.django_db
DESCRIBED = api.get_openapi_schema()["paths"]
READ = sorted(
    path for path, operations in DESCRIBED.items() if "get" in operations and "operation_id" not in path
)
PAGES = [
    "/",
    "/search?q=water&mode=keyword",
    "/articles/an-article",
    "/admin/login/",
    "/api/docs",
    "/api/openapi.json",
    "/health",
    "/stats",
]
METHODS = ["HEAD", "OPTIONS", "TRACE", "PROPFIND", "PUT", "PATCH", "DELETE", "POST", "get"]


@pytest.fixture
def client(settings: Settings) -> Client:
    settings.API_RATE_LIMIT = 0
    make_space()
    Article(slug="an-article", title="Water", content="It runs.").save()
    _, token = make_token(*Scope)
    return Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)


def ready(path: str) -> str:
    names = {"slug": "an-article", "number": "1"}
    return re.sub(r"{(\w+)}", lambda name: names.get(name[1]) or str(Task.objects.get().pk), path)


@pytest.mark.parametrize("path", [*READ, *PAGES])
def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    read, head = client.get(ready(path)), client.head(ready(path))
    assert head.status_code == read.status_code == http.client.OK
    assert head["Content-Type"] == read["Content-Type"]
    assert head.get("ETag") == read.get("ETag")
    assert not b"".join(head)


@pytest.mark.parametrize("path", READ)
def test_what_may_be_read_says_so_of_head_too(client: Client, path: str) -> None:
    refused = client.generic("PROPFIND", ready(path))
    assert refused.status_code == http.client.METHOD_NOT_ALLOWED
    assert {"GET", "HEAD"} <= set(refused["Allow"].split(", "))


@pytest.mark.parametrize(
    "path", [*READ, *PAGES, *sorted(DESCRIBED.keys() - READ), "/nowhere", "/api/nowhere"]
)
def test_no_method_ends_in_an_error_of_ours(client: Client, path: str) -> None:
    address = re.sub(r"{operation_id}", "0b51a1b2-6f2c-4bd5-b1a3-6f0f4c1d9c55", path)
    for method in METHODS:
        assert client.generic(method, ready(address)).status_code < 500, method
