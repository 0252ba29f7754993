"""What a provider's refusal means."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from embeddings.providers.errors import ErrorClass
from embeddings.providers.transport import error_of, seconds_of


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error": "input rejected"}', ErrorClass.INVALID_INPUT),
        (400, b'{"error": {"code": "context_length_exceeded"}}', ErrorClass.TOO_LONG),
        (400, b"This model's maximum context length is 8192 tokens", ErrorClass.TOO_LONG),
        (400, b"the input length exceeds the context length", ErrorClass.TOO_LONG),
        (401, b"", ErrorClass.AUTH),
        (402, b"", ErrorClass.AUTH),
        (403, b"", ErrorClass.AUTH),
        (404, b"model not found", ErrorClass.PROVIDER_DOWN),
        (408, b"", ErrorClass.TRANSIENT),
        (413, b"", ErrorClass.TOO_LONG),
        (422, b"", ErrorClass.INVALID_INPUT),
        (429, b'{"error": {"code": "rate_limit_exceeded"}}', ErrorClass.RATE_LIMITED),
        (429, b'{"error": {"code": "insufficient_quota"}}', ErrorClass.AUTH),
        (500, b"", ErrorClass.TRANSIENT),
        (502, b"", ErrorClass.PROVIDER_DOWN),
        (503, b"", ErrorClass.PROVIDER_DOWN),
        (504, b"", ErrorClass.PROVIDER_DOWN),
        (302, b"", ErrorClass.TRANSIENT),
    ],
)
def test_status_and_body_give_the_class(status, body, kind):
    error = error_of(status, None, body, "api.example")
    assert error.kind is kind
    assert str(error).startswith(f"api.example answered {status}")


def test_what_the_server_quotes_is_not_repeated():
    assert "secret text" not in str(error_of(400, None, b"cannot embed: secret text", "api.example"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("1e9", 1e9),
        ("soon", None),
        ("nan", None),
        ("inf", float("inf")),
        ("Wed, 99", None),
    ],
)
def test_retry_after_is_read_as_seconds(header, seconds):
    assert seconds_of(header) == seconds


def test_retry_after_is_read_as_a_date():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert seconds_of(soon) == pytest.approx(30, abs=2)
    assert seconds_of(format_datetime(datetime(2000, 1, 1, tzinfo=UTC), usegmt=True)) == 0
