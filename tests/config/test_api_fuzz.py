"""Requests made from the OpenAPI document, sound and unsound ones: the API keeps to its own description."""

import dataclasses
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from pytest_django import Settings
from schemathesis.config import SchemathesisConfig

from access import attempts, throttles
from articles import limits
from articles.api.schemas import WITHOUT_NUL
from articles.limits import SLUG_PATTERN, is_slug_character
from articles.models import Article
from config.api import api
from config.wsgi import application
from embeddings import api as search
from tests.servers import AUTH_TOKEN

pytestmark = pytest.mark.slow
CONFIG = {
    "seed": 1,
    "generation": {"max-examples": 25, "deterministic": True, "database": "none"},
    "checks": {
        # 412: a made-up If-Match never is the article's tag
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "404", "409", "412"]},
    },
    # many and alike
    "operations": [{"include-path-regex": "^/api/queue", "generation": {"max-examples": 8}}],
}
# The generator knows few of the classes of characters that the document names; these are the same ones, as far as
# its examples go.
LAST_CHARACTER = 0x17F
METADATA = {
    "NewArticle": "metadata",
    "WholeArticle": "metadata",
    "ArticlePatch": "metadata",
    "SearchRequest": "filter",
}
# Making texts as long as they may be would take nearly all of the time; other tests save some.
SHORTER = {
    (limits, "MAX_CONTENT"): 250,
    (limits, "MAX_TITLE"): 30,
    (limits, "MAX_SLUG"): 20,
    (search, "MAX_QUERY"): 40,
}


# The document leaves metadata open, for generators of clients; these are the values that the database can hold.
JSON_VALUE: dict[str, Any] = {
    "anyOf": [
        {"type": ["null", "boolean", "number"], "minimum": -(2**63), "maximum": 2**64 - 1},
        {"type": "string", "pattern": WITHOUT_NUL},
        {"type": "array", "items": {"$ref": "#/components/schemas/JsonValue"}},
        {
            "type": "object",
            "propertyNames": {"pattern": WITHOUT_NUL},
            "additionalProperties": {"$ref": "#/components/schemas/JsonValue"},
        },
    ]
}


def spelled_out() -> str:
    """The slug's pattern with its characters as ranges."""
    points = [point for point in range(LAST_CHARACTER) if is_slug_character(chr(point))]
    runs = itertools.groupby(enumerate(points), lambda pair: pair[1] - pair[0])
    ranges = [[point for _, point in run] for _, run in runs]
    letters = "[" + "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in ranges) + "]"
    return f"^{letters}+(-{letters}+)*$"


def described() -> schemathesis.BaseSchema:
    """The API as it describes itself, reached without a server."""
    document = json.dumps(api.get_openapi_schema()).replace(
        json.dumps(SLUG_PATTERN), json.dumps(spelled_out())
    )
    for (module, name), bound in SHORTER.items():
        document = document.replace(f'"maxLength": {getattr(module, name)},', f'"maxLength": {bound},')
        assert f'"maxLength": {bound},' in document
    loaded = schemathesis.openapi.from_dict(
        with_exact_metadata(json.loads(document)), config=SchemathesisConfig.from_dict(CONFIG)
    )
    loaded.app = application
    return loaded


def with_exact_metadata(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the bounds of metadata, and of the filter on it, that are checked beyond it."""
    schemas = document["components"]["schemas"]
    schemas["JsonValue"] = JSON_VALUE
    for name, field in METADATA.items():
        schemas[name]["properties"][field] |= JSON_VALUE["anyOf"][-1]
    return document


schema = described()


@pytest.fixture
def article(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One whose slug the examples can hit, and no limit to what they ask."""
    settings.API_RATE_LIMIT = 0
    for (module, name), bound in SHORTER.items():
        monkeypatch.setattr(module, name, bound)
    monkeypatch.setattr(throttles, "REFUSALS_A_MINUTE", 0)
    unlimited = (attempts.TOKEN.rules[0]._replace(most=10**9),)
    monkeypatch.setattr(attempts, "TOKEN", dataclasses.replace(attempts.TOKEN, rules=unlimited))
    Article(slug="0", title="An article", content="Some text.").save()
    # the end of a request would close the connection that holds the test's transaction
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@schema.parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_keeps_to_its_description(case: Any, article: Article) -> None:
    # given here: one in CONFIG counts as made up where a case has headers of its own
    case.call_and_validate(headers={"Authorization": f"Bearer {AUTH_TOKEN}"})
