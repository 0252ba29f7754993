"""The settings for reaching an embedding server: read, refused in one sentence, and shown without secrets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env, provider_env
from config.provider_env import base_url, ca_file, fields, headers, prefix, proxy
from tests.paths import ROOT

CERTIFICATE = ROOT / "tests/embeddings/providers/certificates/localhost.pem"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def give(value: str, name: str = "GIVEN") -> str:
        monkeypatch.setenv(name, value)
        return name

    return give


def shown(name: str = "GIVEN") -> str:
    return env.readings()[name].value


@pytest.mark.parametrize(
    ("value", "found", "seen"),
    [
        ("https://api.example/v1/", "https://api.example/v1", "https://api.example/v1"),
        (
            "https://x.openai.azure.com/openai/deployments/small?api-version=2024-10-21",
            "https://x.openai.azure.com/openai/deployments/small?api-version=2024-10-21",
            "https://x.openai.azure.com/openai/deployments/small?api-version=2024-10-21",
        ),
        ("https://h/v1/?key=s3cret&api-version=1", "https://h/v1?key=s3cret&api-version=1", None),
    ],
)
def test_an_address_may_have_a_query_of_which_only_the_version_is_shown(
    given: Callable[..., str], value: str, found: Any, seen: Any
) -> None:
    assert base_url(given(value), "") == found
    assert "s3cret" not in shown()
    assert shown() == (seen or "https://h/v1?key=****&api-version=1")


@pytest.mark.parametrize(
    "value", ["ftp://h", "h/v1", "https://u:s3cret@h", "https://h/#s3cret", "https://h:port", "https://h/a b"]
)
def test_another_address_is_refused_and_not_repeated(given: Callable[..., str], value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="GIVEN is not an address we can use") as refused:
        base_url(given(value), "")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", ()),
        ("api-key=k", (("api-key", "k"),)),
        (" X-Team = search , API-Key=a=b,", (("x-team", "search"), ("api-key", "a=b"))),
        ("x-list=1%2C2", (("x-list", "1,2"),)),
        ("authorization=Bearer abc", (("authorization", "Bearer abc"),)),
    ],
)
def test_headers_are_read_as_opentelemetry_writes_them(
    given: Callable[..., str], value: str, found: Any
) -> None:
    assert headers(given(value)) == found
    assert shown() == ",".join(f"{name}=****" for name, _ in found)


@pytest.mark.parametrize(
    "value", ["s3cret", "a b=s3cret", "a=1,=s3cret", "a=s3cret%0d%0aB: c", "a=s3crét", "a=%00s3cret"]
)
def test_a_header_that_cannot_be_sent_is_refused_and_not_repeated(
    given: Callable[..., str], value: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match="GIVEN cannot be read at its header") as refused:
        headers(given(value))
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "accept-encoding"])
def test_a_header_of_our_own_is_refused(given: Callable[..., str], name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="Vectorpress writes itself"):
        headers(given(f"{name}=x"))


def test_fields_are_a_json_object(given: Callable[..., str]) -> None:
    assert fields(given('{"input_type": "passage", "n": 1}')) == {"input_type": "passage", "n": 1}
    assert fields(given("")) == {}


@pytest.mark.parametrize("value", ["{", "[]", "1", '"a"', '{"input": "x"}', '{"model": "x"}'])
def test_other_fields_are_refused(given: Callable[..., str], value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="GIVEN holds"):
        fields(given(value))


@pytest.mark.parametrize(
    ("value", "found", "seen"),
    [
        ("", None, "the model's"),
        ("none", "", "none"),
        ("query:", "query: ", "query: "),
        ("query: ", "query: ", "query: "),
        ("Instruct: find\\nQuery:", "Instruct: find\nQuery: ", "Instruct: find\nQuery: "),
        ("line\\n", "line\n", "line\n"),
    ],
)
def test_a_prefix_is_kept_apart_from_its_text(
    given: Callable[..., str], value: str, found: Any, seen: Any
) -> None:
    assert prefix(given(value)) == found
    assert shown() == seen


def test_a_file_of_authorities_is_its_whole_path_or_the_default(
    given: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.pem").write_bytes(CERTIFICATE.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert ca_file(given("other.pem")) == str(tmp_path / "other.pem")
    assert ca_file(given(""), str(CERTIFICATE)) == str(CERTIFICATE)
    assert ca_file(given("")) == ""


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_without_certificates_is_refused(
    given: Callable[..., str], tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ImproperlyConfigured, match=r"GIVEN holds .*; it may hold the path of a PEM file"):
        ca_file(given(str(path)))


@pytest.mark.parametrize(
    ("value", "found", "seen"),
    [
        ("", "", ""),
        ("Environment", "environment", "environment"),
        ("http://proxy:3128", "http://proxy:3128", "http://proxy:3128"),
        ("http://u:s3cret@proxy:3128/", "http://u:s3cret@proxy:3128/", "http://****@proxy:3128"),
    ],
)
def test_a_proxy_is_shown_without_its_password(
    given: Callable[..., str], value: str, found: Any, seen: Any
) -> None:
    assert proxy(given(value)) == found
    assert shown() == seen


@pytest.mark.parametrize(
    "value", ["proxy:3128", "socks5://s3cret", "http://h/s3cret", "http://h:port", "http://"]
)
def test_another_proxy_is_refused_and_not_repeated(given: Callable[..., str], value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="GIVEN is not a proxy we can use") as refused:
        proxy(given(value))
    assert "s3cret" not in str(refused.value)


def test_every_provider_has_a_default_model() -> None:
    models: dict[str, Any] = provider_env.DEFAULT_MODELS
    assert models.keys() == {"local", "openai", "ollama"}
