"""What the public address means for hosts and origins."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls.resolvers import RoutePattern

from config import public_site
from config.urls import urlpatterns


@pytest.mark.parametrize(
    ("public_url", "allowed", "hosts"),
    [
        ("", "localhost, 127.0.0.1,", ["localhost", "127.0.0.1"]),
        ("https://a.example", "localhost", ["localhost", "a.example"]),
        ("https://a.example:8443", "a.example", ["a.example"]),
        ("https://[2001:db8::1]", "localhost", ["localhost", "[2001:db8::1]"]),
    ],
)
def test_the_site_answers_to_its_public_name(public_url: str, allowed: str, hosts: list[str]) -> None:
    assert public_site.hosts(public_url, allowed) == hosts


@pytest.mark.parametrize(
    ("public_url", "trusted", "origins"),
    [
        ("", "", []),
        ("https://a.example:8443", "", ["https://a.example:8443"]),
        ("https://a.example", "https://b.example", ["https://b.example", "https://a.example"]),
        ("https://a.example/kb", "", ["https://a.example"]),
    ],
)
def test_forms_of_the_public_address_are_trusted(public_url: str, trusted: str, origins: list[str]) -> None:
    assert public_site.origins(public_url, trusted) == origins


@pytest.mark.parametrize(
    ("public_url", "path"),
    [
        ("", ""),
        ("https://a.example", ""),
        ("https://a.example/kb", "/kb"),
        ("https://a.example:8443/teams/kb", "/teams/kb"),
        ("https://a.example/apis", "/apis"),
    ],
)
def test_the_site_is_below_the_path_of_its_address(public_url: str, path: str) -> None:
    assert public_site.sub_path(public_url) == path


@pytest.mark.parametrize("path", ["/api", "/admin/kb", "/static", "/.well-known/kb"])
def test_below_a_path_of_its_own_no_site_can_be(path: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="the site's own"):
        public_site.sub_path(f"https://a.example{path}")


def test_each_first_part_of_the_sites_paths_is_its_own() -> None:
    patterns = [getattr(each, "pattern", None) for each in urlpatterns]
    ours = {str(pattern).split("/")[0] for pattern in patterns if isinstance(pattern, RoutePattern)}
    assert ours - {""} <= public_site._OWN_PATHS
