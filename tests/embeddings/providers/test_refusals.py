"""What a provider's refusal means."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from embeddings.providers.errors import ErrorClass
from embeddings.providers.refusals import error_of
from embeddings.providers.transport import seconds_of


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error": "input rejected"}', ErrorClass.INVALID_INPUT),
        (400, b'{"error": {"code": "context_length_exceeded"}}', ErrorClass.TOO_LONG),
        (400, b"This model's maximum context length is 8192 tokens", ErrorClass.TOO_LONG),
        (400, b"the input length exceeds the context length", ErrorClass.TOO_LONG),
        (
            400,
            b"Invalid 'input': array too long. Expected an array with maximum length 2048",
            ErrorClass.TOO_LONG,
        ),
        (400, b'{"error": {"code": "max_tokens_per_request"}}', ErrorClass.TOO_LONG),
        (400, b"Too many inputs in request, split into more batches.", ErrorClass.TOO_LONG),
        (400, b"The max allowed tokens per submitted batch is 120000.", ErrorClass.TOO_LONG),
        (400, b"total number of texts must be at most 96", ErrorClass.TOO_LONG),
        (400, b"the dimensions are too large", ErrorClass.INVALID_INPUT),
        (401, b"", ErrorClass.AUTH),
        (402, b"", ErrorClass.AUTH),
        (403, b"", ErrorClass.AUTH),
        (404, b"model not found", ErrorClass.PROVIDER_DOWN),
        (405, b"", ErrorClass.PROVIDER_DOWN),
        (406, b"", ErrorClass.TRANSIENT),
        (407, b"", ErrorClass.PROVIDER_DOWN),
        (408, b"", ErrorClass.TRANSIENT),
        (408, b"the request took too long", ErrorClass.TRANSIENT),
        (409, b"", ErrorClass.TRANSIENT),
        (410, b"", ErrorClass.PROVIDER_DOWN),
        (411, b"", ErrorClass.TRANSIENT),
        (413, b"", ErrorClass.TOO_LONG),
        (414, b"the address is too long", ErrorClass.TRANSIENT),
        (415, b"", ErrorClass.TRANSIENT),
        (421, b"", ErrorClass.PROVIDER_DOWN),
        (422, b"", ErrorClass.INVALID_INPUT),
        (422, b"batch size 64 > maximum allowed batch size 32", ErrorClass.TOO_LONG),
        (422, b"`inputs` must have less than 512 tokens. Given: 600", ErrorClass.TOO_LONG),
        (423, b"", ErrorClass.TRANSIENT),
        (424, b"embedding error: too many tokens", ErrorClass.TRANSIENT),
        (425, b"", ErrorClass.TRANSIENT),
        (429, b'{"error": {"code": "rate_limit_exceeded"}}', ErrorClass.RATE_LIMITED),
        (431, b"", ErrorClass.TRANSIENT),
        (451, b"", ErrorClass.TRANSIENT),
        (429, b'{"error": {"code": "insufficient_quota"}}', ErrorClass.AUTH),
        (500, b"", ErrorClass.TRANSIENT),
        (500, b"the request took too long", ErrorClass.TRANSIENT),
        (500, b"input is too large to process. increase the physical batch size", ErrorClass.TOO_LONG),
        (502, b"", ErrorClass.PROVIDER_DOWN),
        (503, b"", ErrorClass.PROVIDER_DOWN),
        (504, b"", ErrorClass.PROVIDER_DOWN),
        (500, b"the input is larger than the max context size", ErrorClass.TOO_LONG),
        (500, b"model requires more system memory (5.6 gib) than is available", ErrorClass.PROVIDER_DOWN),
        (501, b"this model does not support embeddings", ErrorClass.PROVIDER_DOWN),
        (520, b"", ErrorClass.PROVIDER_DOWN),
        (522, b"", ErrorClass.PROVIDER_DOWN),
        (524, b"", ErrorClass.PROVIDER_DOWN),
        (529, b"", ErrorClass.PROVIDER_DOWN),
        (530, b"", ErrorClass.PROVIDER_DOWN),
        (301, b"", ErrorClass.PROVIDER_DOWN),
        (302, b"", ErrorClass.PROVIDER_DOWN),
    ],
)
def test_status_and_body_give_the_class(status: int, body: bytes, kind: ErrorClass) -> None:
    error = error_of(status, None, body, "api.example")
    assert error.kind is kind
    assert str(error).startswith(f"api.example returned {status}")


def test_text_quoted_by_the_server_is_not_repeated() -> None:
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
def test_retry_after_is_read_as_seconds(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header) == seconds


AT = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("Wed, 21 Oct 2015 07:29:00 GMT", AT, 60.0),
        (AT, AT, 0.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", AT, 0.0),
        ("Wed Oct 21 07:29:00 2015", AT, 60.0),  # the forms of old, which are UTC too
        ("Wednesday, 21-Oct-15 07:29:00 GMT", AT, 60.0),
        ("Wed, 21 Oct 2015 07:29:00 GMT", "Wed Oct 21 07:28:00 2015", 60.0),
        ("Wed, 21 Oct 2015 09:29:00 +0200", AT, 60.0),
        ("7", AT, 7.0),
        ("soon", AT, None),
        (AT, "soon", 0.0),  # by our clock, that was long ago
        (AT, "", 0.0),
        (AT, f"{AT}, {AT}", 0.0),
    ],
)
def test_retry_after_as_a_date_is_measured_from_the_replys_own(
    header: str, date: str, seconds: float | None
) -> None:
    assert seconds_of(header, date) == seconds


def test_without_a_date_of_its_own_it_is_measured_from_our_clock() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert seconds_of(soon) == pytest.approx(30, abs=2)
    assert seconds_of(format_datetime(datetime(2000, 1, 1, tzinfo=UTC), usegmt=True)) == 0
