"""What the server itself answers, in the words of whoever asked."""

import json
from http import HTTPStatus

import pytest
from pytest_django import Settings

from config.asgi import DOWN, LIMITS, TAKING_BODIES, refuse
from config.serving.answers import RefusedError

ERROR = RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "too much at once")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/articles", b"application/problem+json"),
        ("/", b"text/plain; charset=utf-8"),
        ("/apix", b"text/plain; charset=utf-8"),
    ],
)
def test_a_refusal_is_a_problem_below_the_api_and_a_line_elsewhere(path: str, kind: bytes) -> None:
    answer = refuse(ERROR, path)
    headers = dict(answer.headers)
    assert (answer.status, headers[b"content-type"]) == (503, kind)
    assert headers[b"content-length"] == str(len(answer.body)).encode()
    assert (headers[b"connection"], b"retry-after" in headers) == (b"close", True)
    assert b"too much at once" in answer.body


def test_a_problem_of_the_server_has_the_form_of_all_others() -> None:
    document = json.loads(refuse(ERROR, "/api/x").body)
    assert (document["status"], document["detail"]) == (503, "too much at once")


def test_the_answer_of_a_process_that_hangs_is_kept_by_nobody() -> None:
    assert json.loads(DOWN.body) == {"status": "down"}
    assert dict(DOWN.headers)[b"cache-control"] == b"no-store"


def test_only_the_api_and_the_admin_take_bodies_as_large_as_the_settings_say(settings: Settings) -> None:
    assert all(path.startswith("/") and path.endswith("/") for path in TAKING_BODIES)
    assert LIMITS.body_bytes == settings.DATA_UPLOAD_MAX_MEMORY_SIZE
