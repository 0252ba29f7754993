"""Whom to tell of a weakness is said where tools look for it (RFC 9116)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import Settings

PATH = "/.well-known/security.txt"


def fields(body: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in body.splitlines())


def test_it_names_the_contact_and_ends_within_a_year(client: Client, settings: Settings) -> None:
    settings.SECURITY_CONTACT = "mailto:security@example.org"
    settings.PUBLIC_URL = "https://articles.example.org"
    answer = client.get(PATH)
    found = fields(answer.content.decode())
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert found["Contact"] == "mailto:security@example.org"
    assert found["Canonical"] == "https://articles.example.org/.well-known/security.txt"
    assert timedelta(0) < datetime.fromisoformat(found["Expires"]) - datetime.now(UTC) < timedelta(days=365)


def test_without_a_contact_there_is_no_page(client: Client, settings: Settings) -> None:
    settings.SECURITY_CONTACT = ""
    assert client.get(PATH).status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_can_only_be_read(client: Client, settings: Settings, method: str) -> None:
    settings.SECURITY_CONTACT = "mailto:security@example.org"
    assert getattr(client, method)(PATH).status_code == 405
