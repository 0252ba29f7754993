"""The API's own description, and the page that shows it."""

import json
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from access.models import Scope

NAMED = r"#/components/schemas/(\w+)"


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


def test_each_operation_has_a_description_a_known_tag_and_a_name_of_its_own(document: Any) -> None:
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert set(operation["tags"]) <= tags, (method, path)
            names.append(operation["operationId"])
    assert len(set(names)) == len(names)
    assert {"create_article", "search_articles", "retry_tasks", "resume_queue", "resume_operation"} <= set(
        names
    )
    assert document["servers"] == [{"url": "/"}]


def test_every_schema_is_referred_to(document: Any) -> None:
    assert set(re.findall(NAMED, json.dumps(document))) == document["components"]["schemas"].keys()


def test_bounds_are_shown(document: Any) -> None:
    schemas = document["components"]["schemas"]
    title = schemas["NewArticle"]["properties"]["title"]
    assert (title["minLength"], title["maxLength"]) == (1, 300)
    assert schemas["NewArticle"]["additionalProperties"] is False
    assert schemas["SearchRequest"]["properties"]["k"]["maximum"] == 100
    assert schemas["NewArticle"]["required"] == ["title"]


def bodies(document: Any) -> dict[str, Any]:
    """The schemas of request bodies, and those that they refer to, by name."""
    schemas, found = document["components"]["schemas"], {}
    operations = [each for path in document["paths"].values() for each in path.values()]
    left = re.findall(NAMED, json.dumps([each.get("requestBody") for each in operations]))
    while left:
        name = left.pop()
        if name not in found:
            found[name] = schemas[name]
            left += re.findall(NAMED, json.dumps(schemas[name]))
    return found


def test_a_generated_client_may_leave_out_every_field_that_has_a_default(document: Any) -> None:
    found = bodies(document)
    assert {"NewArticle", "SearchRequest", "BulkRequest", "Filter"} <= found.keys()
    for name, schema in found.items():
        for field, described in schema.get("properties", {}).items():
            assert "default" not in described, (name, field)
    properties = found["SearchRequest"]["properties"]
    assert properties["k"]["description"] == "maximum number of articles returned; 10 if omitted"
    assert found["Undo"]["properties"]["dry_run"]["description"] == "false if omitted"


def test_no_schema_refers_to_itself(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for name in schemas:
        reached, left = set(), [name]
        while left:
            for named in re.findall(NAMED, json.dumps(schemas[left.pop()])):
                assert named != name, "generators of clients drop what uses a recursive schema"
                if named not in reached:
                    reached.add(named)
                    left.append(named)


def test_metadata_is_an_open_object(document: Any) -> None:
    schemas = document["components"]["schemas"]
    fields = [
        schemas[name]["properties"]["metadata"] for name in ("NewArticle", "WholeArticle", "ArticlePatch")
    ]
    for field in [*fields, schemas["SearchRequest"]["properties"]["filter"]]:
        assert (field["type"], field["additionalProperties"]) == ("object", True)
        assert "propertyNames" not in field
