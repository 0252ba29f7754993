"""A proxy is used only where the settings say so."""

import pytest

from embeddings.providers.proxies import ENVIRONMENT, for_url

GIVEN = {"HTTPS_PROXY": "http://one:3128", "HTTP_PROXY": "two:3128", "NO_PROXY": "localhost,.internal"}


@pytest.mark.parametrize(
    ("url", "setting", "proxy"),
    [
        ("https://api.example/v1", "", ""),
        ("https://api.example/v1", "http://own:1", "http://own:1"),
        ("http://localhost:1/v1", "http://own:1", "http://own:1"),
        ("https://api.example/v1", ENVIRONMENT, "http://one:3128"),
        ("http://api.example/v1", ENVIRONMENT, "http://two:3128"),
        ("https://localhost:8000/v1", ENVIRONMENT, ""),
        ("https://model.internal/v1", ENVIRONMENT, ""),
    ],
)
def test_the_settings_decide(monkeypatch: pytest.MonkeyPatch, url: str, setting: str, proxy: str) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv(name, GIVEN.get(name, ""))
    assert for_url(url, setting) == proxy


def test_without_a_proxy_in_the_environment_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    assert for_url("https://api.example/v1", ENVIRONMENT) == ""
