"""Settings for reaching the provider that do not fit together are named before they cost a night."""

from typing import Any

import pytest
from pytest_django import Settings

from queueops.operate.checks.provider_settings import contradictions

FAR = "http://far.example/v1"


@pytest.mark.parametrize(
    ("given", "environment", "names"),
    [
        ({}, {}, []),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": FAR}, {}, ["key in the clear"]),
        ({"EMBEDDING_HEADERS": (("api-key", "k"),), "OPENAI_BASE_URL": FAR}, {}, ["key in the clear"]),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://localhost:1/v1"}, {}, []),
        ({"EMBEDDING_PROVIDER": "openai"}, {"HTTPS_PROXY": "http://p:1"}, ["proxy"]),
        ({"EMBEDDING_PROVIDER": "openai"}, {"https_proxy": "http://p:1"}, ["proxy"]),
        ({"EMBEDDING_PROVIDER": "ollama"}, {"HTTP_PROXY": ""}, []),
        ({"EMBEDDING_PROVIDER": "local"}, {"HTTPS_PROXY": "http://p:1"}, []),
        (
            {"EMBEDDING_PROVIDER": "openai", "EMBEDDING_PROXY": "environment"},
            {"HTTPS_PROXY": "http://p:1"},
            [],
        ),
    ],
)
def test_each_contradiction_is_named(
    settings: Settings, given: Any, environment: Any, names: list[str]
) -> None:
    for name, value in given.items():
        setattr(settings, name, value)
    assert [finding.check for finding in contradictions(environment)] == names
