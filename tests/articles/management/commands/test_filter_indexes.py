"""`manage.py filter_indexes`: says what it builds and removes, and does it."""

import json

import pytest
from django.core.management import call_command
from pytest_django import Settings

from articles.filters import indexes
from articles.filters.fields import Field, FieldType

pytestmark = pytest.mark.django_db(transaction=True)

USER = Field("userId", FieldType.STRING)
VERSION = Field("version", FieldType.NUMBER)


def said(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    call_command("filter_indexes", *options)
    return capsys.readouterr().out


def test_a_run_through_the_life_of_a_field(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SEARCH_FILTERS = (USER, VERSION)
    name = USER.index_name
    assert f"userId (string): index {name} would be built\n" in said(capsys, "--dry-run")
    assert indexes.difference().missing == [USER, VERSION]
    assert f"userId (string): index {name} built\n" in said(capsys)
    nothing = (
        "nothing to do; fields in SEARCH_FILTERS, each with its index: userId (string), version (number)\n"
    )
    assert said(capsys) == nothing
    settings.SEARCH_FILTERS = (VERSION,)
    assert said(capsys, "--dry-run") == f"index {name} would be removed\n"
    assert json.loads(said(capsys, "--json")) == {"dry_run": False, "built": [], "removed": [name]}
    settings.SEARCH_FILTERS = ()
    said(capsys)
    assert said(capsys) == "nothing to do; fields in SEARCH_FILTERS, each with its index: none\n"
