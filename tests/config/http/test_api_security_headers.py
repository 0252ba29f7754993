"""A call of the API gets the headers of safety that a page gets, and goes to HTTPS where the setting says so."""

import pytest
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from pytest_django import Settings

from config.http.api_security_headers import ApiSafety


def as_page(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse("a page", status=301)


def reply_to(
    response: HttpResponseBase, *, is_secure: bool = False, host: str = "testserver"
) -> HttpResponseBase:
    request = RequestFactory().get("/api/articles", secure=is_secure, headers={"host": host})
    return ApiSafety(lambda _: response, as_page)(request)


def test_a_reply_has_the_headers_of_safety_and_its_length() -> None:
    reply = reply_to(HttpResponse("grün"))
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert reply["X-Frame-Options"] in {"DENY", "SAMEORIGIN"}
    assert reply["Content-Length"] == "5"


def test_a_header_that_the_view_has_set_stays() -> None:
    reply = reply_to(HttpResponse(headers={"X-Frame-Options": "mine", "Content-Length": "7"}))
    assert (reply["X-Frame-Options"], reply["Content-Length"]) == ("mine", "7")


def test_a_stream_has_no_length() -> None:
    assert not reply_to(StreamingHttpResponse(iter([b"a"]))).has_header("Content-Length")


def test_only_https_replies_carry_hsts(settings: Settings) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    assert reply_to(HttpResponse(), is_secure=True)["Strict-Transport-Security"].startswith("max-age=60")
    assert not reply_to(HttpResponse()).has_header("Strict-Transport-Security")


@pytest.mark.parametrize(("is_secure", "status"), [(False, 301), (True, 200)])
def test_where_https_is_wanted_a_plain_call_is_redirected_as_a_page_is(
    settings: Settings, is_secure: bool, status: int
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert reply_to(HttpResponse(), is_secure=is_secure).status_code == status


def test_a_host_that_is_not_ours_is_refused() -> None:
    with pytest.raises(DisallowedHost):
        reply_to(HttpResponse(), host="elsewhere.example")
