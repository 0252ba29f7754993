"""Settings for reaching the provider that do not fit together. Asks no server."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from django.conf import settings

from queueops.operate.checks.finding import Finding, warn

_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_OF_A_PROXY = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def contradictions(environment: Mapping[str, str]) -> Iterator[Finding]:
    """One finding for each contradiction; `environment` is this process's."""
    yield from _of_the_key()
    yield from _of_the_proxy(environment)


def _of_the_key() -> Iterator[Finding]:
    url = urlsplit(settings.OPENAI_BASE_URL)
    has_secret = settings.OPENAI_API_KEY or settings.EMBEDDING_HEADERS
    if has_secret and url.scheme == "http" and url.hostname not in _LOCAL_HOSTS:
        yield warn(
            "key in the clear",
            f"OPENAI_BASE_URL is http://: the key and EMBEDDING_HEADERS travel to {url.hostname} unencrypted",
            "Use an https:// address.",
        )


def _of_the_proxy(environment: Mapping[str, str]) -> Iterator[Finding]:
    named = next((name for name in _OF_A_PROXY if environment.get(name)), None)
    is_remote = settings.EMBEDDING_PROVIDER != "local"
    if named and is_remote and not settings.EMBEDDING_PROXY:
        yield warn(
            "proxy",
            f"{named} is set, and requests to the provider do not use it: EMBEDDING_PROXY is empty",
            "Set EMBEDDING_PROXY=environment to use it, if the provider is not reached without.",
        )
