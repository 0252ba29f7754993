"""Addresses in words show where a server is, and never a password."""

from typing import Any

import pytest

from config import env, masking

SECRETS = ["s3cret", "p%40ss%2Fw%3Fo%23r%25d", "%F0%9F%99%82secret", "****secret"]


@pytest.mark.parametrize(
    ("parsed", "options", "words"),
    [
        ({"NAME": "d"}, {}, "postgresql:///d"),
        ({"NAME": "d", "USER": "u", "HOST": "h", "PORT": 5432}, {}, "postgresql://u@h:5432/d"),
        ({"NAME": "d", "USER": "u", "PASSWORD": "s3cret", "HOST": "h"}, {}, "postgresql://u:****@h/d"),
        ({"NAME": "d", "PASSWORD": "s3cret", "HOST": "h"}, {}, "postgresql://:****@h/d"),
        ({"NAME": "d", "USER": "", "PASSWORD": "", "HOST": "", "PORT": ""}, {}, "postgresql:///d"),
        ({"NAME": "d", "USER": "u", "HOST": "/run/x", "PORT": 1}, {}, "postgresql://u@/d?host=/run/x"),
        (
            {"NAME": "d", "HOST": "h"},
            {"sslmode": "require", "sslpassword": "s3cret", "PassWord": "s3cret"},
            "postgresql://h/d?sslmode=require&sslpassword=****&PassWord=****",
        ),
    ],
)
def test_a_database_is_described_by_its_parts(
    parsed: dict[str, Any], options: dict[str, str], words: str
) -> None:
    assert masking.database_in_words("postgresql", parsed, options) == words


@pytest.mark.parametrize("password", SECRETS)
def test_no_password_of_a_database_is_shown(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    for address in (
        f"postgresql://u:{password}@h:5432/d?sslpassword={password}",
        f"postgres://u:{password}@/d?host=/run/socket",
    ):
        monkeypatch.setenv("OF_A_TEST", address)
        env.database("OF_A_TEST", "")
        shown = env.readings()["OF_A_TEST"].value
        assert "secret" not in shown.replace(masking.MASK, "")
        assert "w%3Fo" not in shown
        assert ":****@" in shown


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://", "redis://localhost:6379?db=0"),
        ("redis://h:1/5", "redis://h:1?db=5"),
        ("redis://:s3cret@h", "redis://:****@h:6379?db=0"),
        ("rediss://u:s3cret@h/2", "rediss://u:****@h:6379?db=2"),
        ("redis://u@h", "redis://u@h:6379?db=0"),
        ("unix:///run/valkey.sock?db=3", "unix:///run/valkey.sock?db=3"),
        ("unix://u:s3cret@/run/valkey.sock", "unix://u:****@/run/valkey.sock?db=0"),
        ("redis://h?password=s3cret", "redis://:****@h:6379?db=0"),
    ],
)
def test_redis_is_described_by_its_parts(url: str, words: str) -> None:
    assert masking.redis_in_words(url) == words


@pytest.mark.parametrize("url", ["", "h:6379", "http://h", "redis://h:port"])
def test_an_invalid_redis_address_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError):
        masking.redis_in_words(url)
