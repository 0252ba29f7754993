"""A form that is refused: the page says why and names the setting to change."""

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import Settings

from config.http.csrf_failures import sentence

OTHER = "https://articles.example.org"


def form(**headers: str) -> HttpRequest:
    return RequestFactory().post("/admin/login/", headers=headers)


def test_another_origin_is_named_with_the_settings_that_make_it_ours() -> None:
    said = sentence(form(origin=OTHER))
    assert f"The form came from {OTHER}, and this site takes itself for http://testserver." in said
    for setting in (f"PUBLIC_URL={OTHER}", "CSRF_TRUSTED_ORIGINS", "TRUSTED_PROXIES", "X-Forwarded-Proto"):
        assert setting in said


@pytest.mark.parametrize("origin", ["", "null", "http://testserver", "https://trusted.example"])
def test_an_origin_of_ours_is_not_the_reason(settings: Settings, origin: str) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example"]
    said = sentence(form(origin=origin))
    assert (
        said
        == "The browser sent no cookie of this site. Allow cookies, reload the page and send the form again."
    )


def test_a_cookie_for_https_alone_is_missed_over_http(settings: Settings) -> None:
    settings.CSRF_COOKIE_SECURE = True
    assert "cookies travel over HTTPS only" in sentence(form())


def test_with_a_cookie_the_form_is_old() -> None:
    request = form()
    request.COOKIES["csrftoken"] = "x" * 32
    assert sentence(request).startswith("The form is out of date.")


@pytest.mark.django_db
def test_a_refused_login_shows_it_and_hides_markup() -> None:
    browser = Client(enforce_csrf_checks=True)
    reply = browser.post(
        "/admin/login/", {"username": "a", "password": "b"}, headers={"origin": f"{OTHER}/<b>"}
    )
    assert reply.status_code == 403
    page = reply.content.decode()
    assert f"PUBLIC_URL={OTHER}/&lt;b&gt;" in page
    assert "no-store" in reply["Cache-Control"]
