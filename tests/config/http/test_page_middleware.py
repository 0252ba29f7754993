"""The middleware that only pages with a person before them go through."""

from collections.abc import Mapping

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from access.models import Scope
from tests.factories import make_token

pytestmark = pytest.mark.django_db


def test_a_call_of_the_api_carries_no_session_and_no_user() -> None:
    _, token = make_token(Scope.READ)
    request = Client().get("/api/articles", headers={"Authorization": f"Bearer {token}"}).wsgi_request
    assert not hasattr(request, "session")
    assert not hasattr(request, "user")


def test_an_answer_of_the_api_has_the_headers_that_protect_every_answer() -> None:
    answer = Client().get("/api/articles")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert answer["Content-Length"] == str(len(answer.content))


@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
def test_every_header_of_safety_of_a_page_is_on_replies_of_the_api(
    settings: Settings, is_secure: bool
) -> None:
    settings.SECURE_HSTS_SECONDS = 3600
    settings.SECURE_SSL_REDIRECT = is_secure
    client = Client()
    page = client.get("/.well-known/security.txt", secure=is_secure)
    for address in ("/api/articles", "/api/nothing", "/api/openapi.json"):
        reply = client.get(address, secure=is_secure)
        own = {"Content-Type", "Content-Length", "WWW-Authenticate"}
        assert {**page.headers, **reply.headers} == {**reply.headers, **_without(page.headers, own)}
        assert ("Strict-Transport-Security" in reply) is is_secure


def _without(headers: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def test_a_call_of_the_api_without_https_is_redirected_where_pages_are(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_SSL_HOST = "news.example"
    reply = Client().get("/api/articles")
    assert (reply.status_code, reply["Location"]) == (301, "https://news.example/api/articles")


def test_a_call_of_the_api_to_an_unknown_host_is_refused(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["news.example"]
    assert Client().get("/api/articles", headers={"Host": "elsewhere.example"}).status_code == 400


def test_a_login_is_of_no_use_to_the_api(admin_client: Client) -> None:
    assert admin_client.get("/api/articles").status_code == 401


def test_a_page_of_the_admin_knows_its_user(admin_client: Client) -> None:
    response = admin_client.get("/admin/")
    assert response.status_code == 200
    assert response.wsgi_request.user.is_superuser


def test_a_form_of_the_admin_without_its_token_is_refused(admin_user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    assert strict.post("/admin/logout/").status_code == 403


@pytest.mark.parametrize("address", ["/api/nothing", "/api/articles/a/nothing", "/api/", "/api"])
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_an_address_of_the_api_that_is_not_there_is_not_found_whatever_the_method(
    method: str, address: str
) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)(address)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert f"there is nothing at {address}" in answer.json()["detail"]
