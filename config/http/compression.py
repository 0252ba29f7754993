"""Compresses replies (gzip) that hold nothing secret beside what a stranger wrote.

The length of a compressed page that holds both tells the secret bit by bit to whoever can make a browser ask for it
again and again (BREACH). So only this is compressed: replies of the API, whose callers bring a token that no browser
adds by itself; files of the site; and pages for requests without a cookie or a proxy's sign-in.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import patch_vary_headers

from config.http.problems import PREFIX

type View = Callable[[HttpRequest], HttpResponseBase]

FEWEST_BYTES = 1_400  # what one packet holds
_LEVEL = 1  # a text to about a third at a fifth of the default's time
_FILES = "/static/"
_GZIP = 16 + zlib.MAX_WBITS
_TEXT = ("text/", "application/json", "application/jsonl", "application/javascript", "image/svg+xml")


def middleware(get_response: View) -> View:
    """Writes are left out: their callers know the text, and would wait for its compression."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if _may_be_compressed(request, response):
            patch_vary_headers(response, ["Accept-Encoding"])
            if accepts_gzip(request.headers.get("Accept-Encoding", "")):
                _compress(response)
        return response

    return answer


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the header names gzip (or any coding) and does not refuse it by a weight of zero."""
    weights = {}
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        weights[name.strip()] = weight.replace(" ", "").removeprefix("q=").strip("0.") != "" or not weight
    return weights.get("gzip", weights.get("*", False))


def _may_be_compressed(request: HttpRequest, response: HttpResponseBase) -> bool:
    if response.status_code != 200 or response.has_header("Content-Encoding"):
        return False
    if not response.get("Content-Type", "").startswith(_TEXT):
        return False
    if isinstance(response, HttpResponse) and len(response.content) < FEWEST_BYTES:
        return False
    return _holds_no_secret(request)


def _holds_no_secret(request: HttpRequest) -> bool:
    path = request.path_info
    if path.startswith(PREFIX):
        return request.method in ("GET", "HEAD") or path == f"{PREFIX}search"
    return path.startswith(_FILES) or not (request.headers.get("Cookie") or settings.PROXY_USER_HEADER)


def _compress(response: HttpResponseBase) -> None:
    if isinstance(response, StreamingHttpResponse):
        pieces = cast(Iterable[bytes], response.streaming_content)
        response.streaming_content = _compressed(pieces)
        for name in (
            "Content-Length",
            "Accept-Ranges",
            "ETag",
        ):  # WhiteNoise compares tags whole; the time of change is left
            del response[name]
    elif isinstance(response, HttpResponse):
        response.content = zlib.compress(response.content, _LEVEL, _GZIP)
        if response.has_header("Content-Length"):
            response["Content-Length"] = str(len(response.content))
    response["Content-Encoding"] = "gzip"
    if response.get("ETag", "").startswith('"'):  # other bytes than without compression, of the same state
        response["ETag"] = f"W/{response['ETag']}"


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
    for piece in pieces:
        if data := compressor.compress(piece):
            yield data
    yield compressor.flush()
