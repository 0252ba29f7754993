"""SEARCH_FILTERS: which fields it declares, and one sentence about what it cannot."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from articles.filters.fields import MAX_FIELDS, Field, FieldType
from config import env, search_env

NAME = "SEARCH_FILTERS"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("", ()),
        (" , ", ()),
        ("userId:string", (Field("userId", FieldType.STRING),)),
        (
            " version:number , created : date,a.b-c_1:boolean,",
            (
                Field("version", FieldType.NUMBER),
                Field("created", FieldType.DATE),
                Field("a.b-c_1", FieldType.BOOLEAN),
            ),
        ),
    ],
)
def test_fields_are_declared_with_their_types(
    monkeypatch: pytest.MonkeyPatch, value: str, wanted: tuple[Field, ...]
) -> None:
    monkeypatch.setenv(NAME, value)
    assert search_env.fields(NAME) == wanted


def test_people_see_the_fields_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "a:string, b:date")
    search_env.fields(NAME)
    assert env.readings()[NAME].value == "a:string,b:date"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("userId", "SEARCH_FILTERS holds 'userId'; it may hold NAME:TYPE,NAME:TYPE, for instance"),
        ("userId:text", "SEARCH_FILTERS holds 'userId:text'; .*types: string, number, date, boolean"),
        ("user id:string", "SEARCH_FILTERS names the field 'user id'; names have ASCII letters"),
        (":string", "SEARCH_FILTERS names the field ''"),
        (f"{'a' * 64}:string", "SEARCH_FILTERS names the field"),
        ("a:string,a:date", "SEARCH_FILTERS declares 'a' twice"),
        (
            ",".join(f"f{n}:string" for n in range(MAX_FIELDS + 1)),
            "SEARCH_FILTERS declares 33 fields; 32 are possible",
        ),
    ],
)
def test_what_cannot_be_declared_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str, fault: str
) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=fault):
        search_env.fields(NAME)
