"""A setting that cannot be used stops the start with one sentence; secrets are not repeated in it."""

import re
import subprocess
from pathlib import Path

import pytest
from django.db import OperationalError, connection

import manage
from tests.starting import start

pytestmark = pytest.mark.process


def start_with(tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return start("runstack", "--help", DATA_DIR=str(tmp_path), **settings)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("EMBEDDING_PROVIDER", "foo", "EMBEDDING_PROVIDER holds 'foo'; it may hold local, openai or ollama."),
        ("PORT", "99999", "PORT holds '99999'; it may hold a whole number from 1 to 65,535."),
        (
            "EMBEDDING_MAX_RETRIES",
            "many",
            "EMBEDDING_MAX_RETRIES holds 'many'; it may hold a whole number from 1 to 100.",
        ),
        (
            "SEMANTIC_SEARCH_ENABLED",
            "maybe",
            "SEMANTIC_SEARCH_ENABLED holds 'maybe'; it may hold true or false.",
        ),
        ("EMBEDDING_PROVIDER", "openai", "OPENAI_API_KEY holds ''; it may hold a key"),
        ("EMBEDDING_MODEL", "unknown", "EMBEDDING_MODEL holds 'unknown', which Vectorpress does not know"),
        ("OLLAMA_BASE_URL", "ftp://x", "OLLAMA_BASE_URL is not an address we can use"),
        ("DATABASE_URL", "mysql://u:s3cret@h/d", "DATABASE_URL cannot be read"),
        ("REDIS_URL", "s3cret", "REDIS_URL cannot be read"),
        ("REDIS_URL", "redis://:s3cret@host:port/0", "REDIS_URL cannot be read"),
        ("AUTH_TOKEN", "s3cret", "AUTH_TOKEN has 6 characters, 6 different ones; it may hold 32 or more"),
        ("SECRET_KEY", "abab" * 20, "SECRET_KEY has 80 characters, 2 different ones; it may hold 32 or more"),
        ("PUBLIC_URL", "example.org", "PUBLIC_URL holds 'example.org'; it may hold https://name"),
        (
            "PUBLIC_URL",
            "https://a.example/b?c",
            "PUBLIC_URL holds 'https://a.example/b?c'; it may hold https://name, https://name:port or https://name/path",
        ),
        ("PUBLIC_URL", "https://u:p@a.example", "PUBLIC_URL holds"),
        ("PUBLIC_URL", "https://a.example:99999", "PUBLIC_URL holds"),
        ("PUBLIC_URL", "https://a.example/b/../c", "PUBLIC_URL holds"),
        (
            "PUBLIC_URL",
            "https://a.example/admin/x",
            "PUBLIC_URL holds 'https://a.example/admin/x'; it may hold a path that does not begin with /admin",
        ),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://a.example, *",
            "CORS_ALLOWED_ORIGINS holds '*'; it may hold origins parted by commas",
        ),
        (
            "TRUSTED_PROXIES",
            "10.0.0.1/8",
            "TRUSTED_PROXIES holds '10.0.0.1/8'; it may hold addresses or networks",
        ),
        (
            "SECURITY_CONTACT",
            "security@example.org",
            "SECURITY_CONTACT holds 'security@example.org'; it may hold mailto:",
        ),
        ("TRUSTED_PROXIES", "proxy", "TRUSTED_PROXIES holds 'proxy'; it may hold addresses or networks"),
        ("STAFF_SECOND_FACTOR", "yes", "STAFF_SECOND_FACTOR holds 'yes'; it may hold optional or required."),
        ("STAFF_IDLE_MINUTES", "-1", "STAFF_IDLE_MINUTES holds '-1'; it may hold a whole number from 0"),
        ("PROXY_USER_HEADER", "X User", "PROXY_USER_HEADER holds 'X User'; it may hold the name of a header"),
        ("PROXY_USER_HEADER", "X-User", "TRUSTED_PROXIES holds ''; it may hold the proxy's addresses"),
        ("OPENAI_API_KEY", "s3cret\u2026", "OPENAI_API_KEY holds a character that no key has"),
        ("OPENAI_API_KEY", "s3cret\nmore", "OPENAI_API_KEY holds a character that no key has"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_sentence(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    done = start_with(tmp_path, **{name: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"cannot start: {sentence}")
    assert done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr


def test_the_secrets_of_an_installation_are_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    for _ in range(2):
        done = start_with(tmp_path, SECRET_KEY="", AUTH_TOKEN="")
        assert done.returncode == 0, done.stderr
    kept = {path.name: path for path in tmp_path.iterdir()}
    assert set(kept) == {"secret_key", "auth_token"}
    assert {path.stat().st_mode & 0o777 for path in kept.values()} == {0o600}


def test_a_port_of_the_embedder_has_a_secret_from_the_first_start_on(tmp_path: Path) -> None:
    done = start_with(tmp_path, LOCAL_EMBEDDER_PORT="18000")
    assert done.returncode == 0, done.stderr
    kept = tmp_path / "embedder_secret"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(kept.read_text().strip()) >= 32


@pytest.mark.django_db
def test_each_connection_is_watched_over() -> None:
    assert connection.connection.info.get_parameters()["tcp_user_timeout"] == "30000"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "stopped\n"),
        (OperationalError("gone"), 2, "the database does not answer: gone\n"),
    ],
)
def test_what_ends_a_command_on_its_way_is_a_sentence_and_a_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: KeyboardInterrupt | OperationalError,
    code: int,
    says: str,
) -> None:
    def run(_: list[str]) -> None:
        raise error

    monkeypatch.setattr(manage, "execute_from_command_line", run)
    assert manage.main() == code
    assert capsys.readouterr().err == says


PRODUCTION = {
    "PUBLIC_URL": "https://articles.example.org",
    "SECRET_KEY": "one-of-a-production-site-that-nobody-can-guess-0123456789",
}


def test_djangos_own_checks_find_nothing_to_warn_of_behind_https(tmp_path: Path) -> None:
    done = start("check", "--deploy", "--fail-level", "WARNING", DATA_DIR=str(tmp_path), **PRODUCTION)
    assert done.returncode == 0, done.stderr


def test_a_secret_made_here_is_long_enough_for_djangos_own_checks(tmp_path: Path) -> None:
    assert start_with(tmp_path, SECRET_KEY="", AUTH_TOKEN="").returncode == 0
    assert len((tmp_path / "secret_key").read_text().strip()) >= 50


def test_a_token_made_here_has_the_form_of_every_other_token(tmp_path: Path) -> None:
    assert start_with(tmp_path, SECRET_KEY="", AUTH_TOKEN="").returncode == 0
    assert re.fullmatch(r"vp_[0-9a-f]{8}_[\w-]{43}\n", (tmp_path / "auth_token").read_text())
