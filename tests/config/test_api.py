"""The API's own description, and the page that shows it."""

import json
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from access.models import Scope


@pytest.fixture
def document() -> Any:
    return json.loads(Client().get("/api/openapi.json").content)


def test_the_page_loads_nothing_from_elsewhere() -> None:
    reply = Client().get("/api/docs")
    page = reply.content.decode()
    assert reply.status_code == 200
    assert "default-src 'self'" in reply["Content-Security-Policy"]
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links
    for link in links:
        assert finders.find(link.removeprefix("/static/")), link
    for script in re.findall(r"<script(.*?)>", page):
        assert "src=" in script or "application/json" in script


def test_every_operation_declares_its_problems_and_wants_a_token(document: Any) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            declared = operation["responses"]
            assert {"400", "401", "403", "422", "429", "503"} <= declared.keys(), (method, path)
            assert declared["401"]["content"].keys() == {"application/problem+json"}
            wanted = operation["security"]
            assert wanted in [[{"Bearer": [scope]}] for scope in Scope.values], (method, path)


def test_bounds_are_told(document: Any) -> None:
    schemas = document["components"]["schemas"]
    title = schemas["NewArticle"]["properties"]["title"]
    assert (title["minLength"], title["maxLength"]) == (1, 300)
    assert schemas["NewArticle"]["additionalProperties"] is False
    assert schemas["SearchRequest"]["properties"]["k"]["maximum"] == 100
    assert schemas["NewArticle"]["required"] == ["title"]
    assert "x-any-json" not in json.dumps(document)
