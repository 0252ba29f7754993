"""docs/queue-api.md has every route below /api/queue and no other, and what it names exists."""

import re

from config.api import api
from queueops.api import acts as api_acts
from queueops.api.fields import MAX_IDS, Filter
from queueops.management.commands.queue_admin import FAMILIES
from tests.paths import ROOT

PAGE = (ROOT / "docs/queue-api.md").read_text()


def test_the_page_has_every_route_and_no_other() -> None:
    described = {
        f"{method.upper()} {path}"
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method in operations
        if path.startswith("/api/queue")
    }
    assert set(re.findall(r"^\| `([A-Z]+ /[^`]+)` \|", PAGE, re.MULTILINE)) == described


def test_each_route_names_verbs_that_there_are() -> None:
    verbs = {verb.name for family in FAMILIES for verb in family}
    cells = re.findall(r"^\| `[A-Z]+ /.* \| ([^|]+) \|$", PAGE, re.MULTILINE)
    named = {verb for cell in cells for verb in re.findall(r"`([^`]+)`", cell)}
    assert named
    assert named <= verbs


def test_the_page_shows_the_filter_and_its_bounds() -> None:
    text = PAGE[PAGE.index("## Operations") :]
    assert [name for name in Filter.model_fields if f"`{name}`" not in text and f'"{name}"' not in text] == []
    assert f"up to {MAX_IDS:,}" in text
    assert api_acts.SECONDS == 5.0
    assert "runs for five seconds" in text
