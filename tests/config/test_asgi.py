"""What the server itself answers, in the words of whoever asked."""

import json
from http import HTTPStatus

import pytest
from pytest_django import Settings

from config.asgi import DOWN, LIMITS, TAKING_BODIES, refuse
from config.serving.answers import RefusedError

ERROR = RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "too much at once")
ORIGIN = "https://app.example.org"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/articles", b"application/problem+json"),
        ("/", b"text/plain; charset=utf-8"),
        ("/apix", b"text/plain; charset=utf-8"),
    ],
)
def test_a_refusal_is_a_problem_below_the_api_and_a_line_elsewhere(path: str, kind: bytes) -> None:
    answer = refuse(ERROR, path, ORIGIN)
    headers = dict(answer.headers)
    assert (answer.status, headers[b"content-type"]) == (503, kind)
    assert headers[b"content-length"] == str(len(answer.body)).encode()
    assert (headers[b"connection"], b"retry-after" in headers) == (b"close", True)
    assert b"too much at once" in answer.body


def test_a_problem_of_the_server_has_the_form_of_all_others() -> None:
    document = json.loads(refuse(ERROR, "/api/x", "").body)
    assert (document["status"], document["detail"]) == (503, "too much at once")


@pytest.mark.parametrize("status", [HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.SERVICE_UNAVAILABLE])
def test_a_page_of_an_allowed_origin_may_read_a_refusal(settings: Settings, status: HTTPStatus) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    headers = dict(refuse(RefusedError(status, "no"), "/api/articles", ORIGIN).headers)
    assert headers[b"access-control-allow-origin"] == ORIGIN.encode()
    assert b"Retry-After" in headers[b"access-control-expose-headers"]
    assert headers[b"vary"] == b"Origin"


@pytest.mark.parametrize(
    ("path", "origin"),
    [("/api/articles", "https://evil.example"), ("/api/articles", ""), ("/search", ORIGIN)],
)
def test_no_other_page_may_read_a_refusal(settings: Settings, path: str, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    assert b"access-control-allow-origin" not in dict(refuse(ERROR, path, origin).headers)


def test_below_a_sub_path_the_api_is_the_api(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS, settings.SUB_PATH = [ORIGIN], "/press"
    headers = dict(refuse(ERROR, "/press/api/articles", ORIGIN).headers)
    assert headers[b"access-control-allow-origin"] == ORIGIN.encode()


def test_the_answer_of_a_process_that_hangs_is_kept_by_nobody() -> None:
    assert json.loads(DOWN.body) == {"status": "down"}
    assert dict(DOWN.headers)[b"cache-control"] == b"no-store"


def test_only_the_api_and_the_admin_take_bodies_as_large_as_the_settings_say(settings: Settings) -> None:
    assert all(path.startswith("/") and path.endswith("/") for path in TAKING_BODIES)
    assert LIMITS.body_bytes == settings.DATA_UPLOAD_MAX_MEMORY_SIZE
