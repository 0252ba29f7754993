"""/health for what watches the machine: by address, without a name, over http."""

import pytest
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("host", ["10.0.0.5:8000", "", "a b", "other.example"])
def test_health_is_answered_whatever_the_host(host: str) -> None:
    reply = Client().get("/health", HTTP_HOST=host)
    assert reply.status_code in (200, 503)
    assert reply["Content-Type"] == "application/json"
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert reply["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_everything_else_minds_the_host() -> None:
    assert Client().get("/", HTTP_HOST="10.0.0.5:8000").status_code == 400
    assert Client().get("/stats", HTTP_HOST="10.0.0.5:8000").status_code == 400


def test_health_does_not_lead_to_https(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/health").status_code in (200, 503)
    assert Client().get("/stats").status_code == 301


def test_health_is_only_read() -> None:
    assert Client().post("/health").status_code == 405
    assert Client().head("/health").content == b""
