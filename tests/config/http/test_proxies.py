"""What a proxy says of a request counts where the proxy is trusted, and nowhere else."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from django.test import Client
from pytest_django import Settings
from structlog.testing import capture_logs

from access import throttles

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_counts(clean_cache: None) -> Iterator[None]:
    throttles._counts_at.cache_clear()
    yield
    throttles._counts_at.cache_clear()


@pytest.fixture
def behind_https(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://testserver"
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_SSL_HOST = "testserver"
    settings.SECURE_HSTS_SECONDS = 3_600


def test_behind_a_trusted_proxy_each_client_has_a_share_of_its_own(
    client: Client, settings: Settings
) -> None:
    settings.PUBLIC_RATE_LIMIT = 1
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    for _ in range(3):
        client.get("/", headers={"x-forwarded-for": "198.51.100.1"})
    assert client.get("/", headers={"x-forwarded-for": "198.51.100.2"}).status_code == 200


def test_a_stranger_gets_no_new_share_by_a_forged_header(client: Client, settings: Settings) -> None:
    settings.PUBLIC_RATE_LIMIT = 1
    forged = [client.get("/", headers={"x-forwarded-for": f"198.51.100.{n}"}).status_code for n in range(8)]
    assert forged.count(429) >= 4


def test_behind_https_cookies_are_secure_and_the_browser_is_bound_to_it(
    client: Client, behind_https: None
) -> None:
    answer = client.get("/admin/login/", headers={"x-forwarded-proto": "https"})
    assert answer.status_code == 200
    assert answer.cookies["csrftoken"]["secure"]
    assert answer["Strict-Transport-Security"] == "max-age=3600"


def test_plain_http_is_sent_to_https(client: Client, behind_https: None) -> None:
    answer = client.get("/search?q=x")
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/search?q=x")


def test_a_strangers_word_for_https_is_not_taken(client: Client, behind_https: None) -> None:
    answer = client.get("/search?q=x", headers={"x-forwarded-proto": "https"}, REMOTE_ADDR="203.0.113.9")
    assert answer.status_code == 301


def test_a_proxy_that_was_forgotten_in_the_settings_is_named_in_the_log(
    client: Client, behind_https: None
) -> None:
    with capture_logs() as lines:
        for _ in range(3):
            client.get("/health", headers={"x-forwarded-proto": "https"}, REMOTE_ADDR="203.0.113.9")
    said = [line for line in lines if "not in TRUSTED_PROXIES" in line["event"]]
    assert [line["peer"] for line in said] == ["203.0.113.9"]


def test_health_is_answered_without_https_to_what_watches_the_machine(
    client: Client, behind_https: None
) -> None:
    assert client.get("/health").status_code in (200, 503)


def test_a_proxy_that_serves_another_path_than_public_url_is_named_once_in_the_log(
    client: Client, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    settings.PUBLIC_URL, settings.SUB_PATH = "https://testserver/kb", "/kb"
    with capture_logs() as lines:
        for prefix in ("/kb", "/kb/", "/other", "/other"):
            client.get("/health", headers={"x-forwarded-prefix": prefix})
        client.get("/health", headers={"x-forwarded-prefix": "/forged"}, REMOTE_ADDR="203.0.113.9")
    said = [line["prefix"] for line in lines if "another path than PUBLIC_URL" in line["event"]]
    assert said == ["/other"]
