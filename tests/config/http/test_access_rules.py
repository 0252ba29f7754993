"""Who may see the public pages, and how often."""

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from access import throttles
from tests.admin_rows import make_person

pytestmark = pytest.mark.django_db
PATHS = ["/", "/search?q=x", "/articles/some-article"]


@pytest.fixture(autouse=True)
def fresh_counts(clean_cache: None) -> Iterator[None]:
    """Counts live in Redis beside the cache."""
    throttles._counts_at.cache_clear()
    yield
    throttles._counts_at.cache_clear()


@pytest.mark.parametrize("path", PATHS)
def test_a_closed_search_asks_for_a_login(client: Client, settings: Settings, path: str) -> None:
    settings.PUBLIC_SEARCH = False
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/?next=")


def test_a_closed_search_is_open_to_who_has_logged_in(client: Client, settings: Settings) -> None:
    settings.PUBLIC_SEARCH = False
    client.force_login(make_person("ada"))
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/", "/search?q="])
def test_a_caller_over_its_limit_gets_429(client: Client, settings: Settings, path: str) -> None:
    settings.PUBLIC_RATE_LIMIT = 2
    address = f"10.1.2.{len(path)}"
    answers = [client.get(path, REMOTE_ADDR=address) for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 4  # a minute may turn in between
    assert answers[0].status_code == 200
    assert 1 <= int(refused[0]["Retry-After"]) <= 60
    assert "Too many searches from here" in refused[0].content.decode()


def test_one_address_does_not_use_up_anothers_share(client: Client, settings: Settings) -> None:
    settings.PUBLIC_RATE_LIMIT = 1
    for _ in range(3):
        client.get("/", REMOTE_ADDR="10.9.9.1")
    assert client.get("/", REMOTE_ADDR="10.9.9.2").status_code == 200


def test_addresses_of_one_ipv6_network_share_it(client: Client, settings: Settings) -> None:
    settings.PUBLIC_RATE_LIMIT = 1
    answers = [client.get("/", REMOTE_ADDR=f"2001:db8:9:9::{number}").status_code for number in range(1, 7)]
    assert answers.count(429) >= 4  # a minute may turn in between


def test_the_limit_does_not_touch_health(client: Client, settings: Settings) -> None:
    settings.PUBLIC_RATE_LIMIT = 1
    assert {client.get("/health").status_code for _ in range(4)} == {200}
