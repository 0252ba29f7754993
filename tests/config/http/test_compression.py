"""Which replies are compressed, and what a compressed one says."""

import gzip

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from articles.models import Article
from config.http import compression
from config.http.compression import FEWEST_BYTES, accepts_gzip
from tests.factories import Api

TEXT = b"Water runs. " * 200


def through(response: HttpResponseBase, request: HttpRequest | None = None) -> HttpResponseBase:
    request = request or RequestFactory().get("/api/articles/x", headers={"accept-encoding": "gzip"})
    return compression.middleware(lambda _: response)(request)


def asked(method: str, path: str, **headers: str) -> HttpRequest:
    return RequestFactory().generic(method, path, headers={"accept-encoding": "gzip"} | headers)


@pytest.mark.parametrize(
    ("header", "is_accepted"),
    [
        ("gzip", True),
        ("GZIP, br", True),
        ("br, gzip;q=0.5", True),
        ("gzip; q=1.000", True),
        ("*", True),
        ("*;q=0, gzip", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("xgzip", False),
    ],
)
def test_gzip_is_sent_to_those_who_accept_it(header: str, is_accepted: bool) -> None:
    assert accepts_gzip(header) is is_accepted


def test_a_reply_is_compressed_and_its_tag_is_weak() -> None:
    headers = {"ETag": '"1-2"', "Content-Length": str(len(TEXT))}
    found = through(HttpResponse(TEXT, content_type="application/json", headers=headers))
    assert isinstance(found, HttpResponse)
    assert gzip.decompress(found.content) == TEXT
    assert (found["Content-Encoding"], found["Vary"], found["ETag"]) == ("gzip", "Accept-Encoding", 'W/"1-2"')
    assert int(found["Content-Length"]) == len(found.content) < len(TEXT) / 5


def test_a_stream_is_compressed_piece_by_piece() -> None:
    pieces = iter([b"a" * 100_000, b"b" * 100_000])
    found = through(StreamingHttpResponse(pieces, content_type="application/jsonl", headers={"ETag": '"1"'}))
    assert isinstance(found, StreamingHttpResponse)
    assert gzip.decompress(b"".join(found)) == b"a" * 100_000 + b"b" * 100_000
    assert "ETag" not in found
    assert "Content-Length" not in found


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (HttpResponse(TEXT[: FEWEST_BYTES - 1], content_type="application/json"), "short"),
        (HttpResponse(TEXT, content_type="image/png"), "an image"),
        (
            HttpResponse(TEXT, content_type="application/json", headers={"Content-Encoding": "br"}),
            "is already",
        ),
        (HttpResponse(TEXT, content_type="application/json", status=206), "a part"),
        (HttpResponse(TEXT, content_type="application/problem+json", status=400), "an error"),
    ],
)
def test_a_reply_that_gains_nothing_is_not_compressed(response: HttpResponse, why: str) -> None:
    assert through(response).getvalue() in (TEXT, TEXT[: FEWEST_BYTES - 1]), why


@pytest.mark.parametrize(
    ("method", "path", "headers", "is_compressed"),
    [
        ("GET", "/api/articles", {}, True),
        ("GET", "/api/articles", {"cookie": "sessionid=x"}, True),
        ("POST", "/api/search", {}, True),
        ("POST", "/api/articles", {}, False),
        ("PUT", "/api/articles/x", {}, False),
        ("GET", "/static/pages/style.css", {"cookie": "sessionid=x"}, True),
        ("GET", "/", {}, True),
        ("GET", "/search?q=x", {"cookie": "sessionid=x"}, False),
        ("GET", "/admin/", {"cookie": "sessionid=x"}, False),
        ("GET", "/admin/login/", {"cookie": "csrftoken=x"}, False),
    ],
)
def test_no_page_of_a_person_is_compressed(
    method: str, path: str, headers: dict[str, str], is_compressed: bool
) -> None:
    found = through(HttpResponse(TEXT), asked(method, path, **headers))
    assert found.has_header("Content-Encoding") is is_compressed


def test_where_a_proxy_signs_in_no_page_is_compressed(settings: Settings) -> None:
    settings.PROXY_USER_HEADER = "X-User"
    assert not through(HttpResponse(TEXT), asked("GET", "/")).has_header("Content-Encoding")


@pytest.mark.django_db
def test_the_tag_of_a_compressed_article_allows_the_write_that_names_it() -> None:
    Article(slug="long", title="Long", content=TEXT.decode()).save()
    read = Api().call("GET", "/articles/long", accept_encoding="gzip")
    assert read["Content-Encoding"] == "gzip"
    assert read["ETag"].startswith("W/")
    assert (
        Api().call("PATCH", "/articles/long", {"title": "Longer"}, if_match=read["ETag"]).status_code == 200
    )
    assert Api().call("PATCH", "/articles/long", {"title": "Short"}, if_match=read["ETag"]).status_code == 412


@pytest.mark.django_db
def test_pages_and_the_document_are_compressed_for_a_stranger() -> None:
    for path in ("/api/openapi.json", "/"):
        reply = Client().get(path, headers={"accept-encoding": "gzip"})
        assert reply["Content-Encoding"] == "gzip", path
