"""The policies of content: one for public pages, one for the admin; both name what default-src does not cover."""

import pytest
from django.conf import settings
from django.test import Client

from config.http.content_security_policy import ADMIN_POLICY

NOT_COVERED_BY_DEFAULT = ("form-action", "frame-ancestors", "base-uri")
POLICIES = {"pages": settings.SECURE_CSP, "admin": ADMIN_POLICY}


@pytest.mark.parametrize("directive", NOT_COVERED_BY_DEFAULT)
@pytest.mark.parametrize("name", POLICIES)
def test_each_policy_names_every_directive_without_a_default(name: str, directive: str) -> None:
    assert set(POLICIES[name][directive]) <= {"'self'", "'none'"}


@pytest.mark.parametrize("name", POLICIES)
def test_each_policy_loads_from_here_only_and_no_plugin(name: str) -> None:
    assert (POLICIES[name]["default-src"], POLICIES[name]["object-src"]) == (["'self'"], ["'none'"])


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/admin/login/", "/nothing-here"])
def test_forms_of_every_page_send_to_us_only(client: Client, path: str) -> None:
    assert "form-action 'self'" in client.get(path).headers["Content-Security-Policy"]
