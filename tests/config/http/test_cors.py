"""A browser's page of another origin may call the API where CORS_ALLOWED_ORIGINS names its origin, and only there."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from config import env
from config.http import cors

OURS = "https://app.example.org"


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]


def through(request: HttpRequest) -> HttpResponse:
    found = cors.middleware(lambda _: HttpResponse("from behind"))(request)
    assert isinstance(found, HttpResponse)
    return found


def asked(path: str = "/api/search", method: str = "POST", **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestFactory().generic(method, path, headers=named)


QUESTION = {
    "access_control_request_method": "PATCH",
    "access_control_request_headers": "authorization,if-match",
}


def test_the_question_of_a_named_origin_is_answered_without_a_token() -> None:
    found = through(asked(method="OPTIONS", origin=OURS, **QUESTION))
    assert (found.status_code, found.content) == (204, b"")
    assert found["Access-Control-Allow-Origin"] == OURS
    assert "PATCH" in found["Access-Control-Allow-Methods"]
    assert {"Authorization", "Content-Type", "If-Match"} <= set(
        found["Access-Control-Allow-Headers"].split(", ")
    )
    assert "Access-Control-Allow-Credentials" not in found


def test_a_reply_to_a_named_origin_names_it_and_what_the_page_may_read() -> None:
    found = through(asked(origin=OURS))
    assert found.content == b"from behind"
    assert found["Access-Control-Allow-Origin"] == OURS
    assert found["Access-Control-Expose-Headers"] == "ETag, Location, Retry-After"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", f"{OURS}.evil.example", "http://app.example.org"]
)
def test_another_origin_gets_no_details(origin: str) -> None:
    for request in (asked(origin=origin), asked(method="OPTIONS", origin=origin, **QUESTION)):
        found = through(request)
        assert found.content == b"from behind"
        assert "Access-Control-Allow-Origin" not in found
        assert found["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/", "/admin/", "/search", "/stats"])
def test_no_page_is_opened_to_other_origins(path: str) -> None:
    assert not through(asked(path, method="GET", origin=OURS)).has_header("Access-Control-Allow-Origin")


def test_without_the_setting_nothing_is_said(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = []
    found = through(asked(origin=OURS))
    assert not found.has_header("Access-Control-Allow-Origin")
    assert not found.has_header("Vary")


def test_origins_are_read_from_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", "https://App.example.org, http://localhost:3000")
    assert env.origins("CORS_ALLOWED_ORIGINS") == ["https://app.example.org", "http://localhost:3000"]


@pytest.mark.parametrize(
    "value", ["*", "app.example.org", "https://a.example/", "https://a.example:0", "https://u@a.example"]
)
def test_an_invalid_origin_is_refused_with_the_value(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", f"https://ok.example,{value}")
    with pytest.raises(ImproperlyConfigured, match=r"CORS_ALLOWED_ORIGINS holds .*; it may hold origins"):
        env.origins("CORS_ALLOWED_ORIGINS")
