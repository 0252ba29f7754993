"""Variables that look like settings and are none are named; those of other programs are left alone."""

import pytest

from queueops.operate.checks.unknown_settings import unknown, unknown_in_file

KNOWN = [
    "EMBEDDING_BATCH_SIZE",
    "EMBEDDING_MODEL",
    "DATABASE_URL",
    "DATABASE_POOL",
    "REDIS_URL",
    "AUTH_TOKEN",
    "SSL_CERT_FILE",
    "PORT",
    "HOST",
]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("EMBEDDING_BATCHSIZE", "rename it to EMBEDDING_BATCH_SIZE"),
        ("EMBEDING_BATCH_SIZE", "rename it to EMBEDDING_BATCH_SIZE"),
        ("EMBEDING_XYZZY_1234567890", "remove it"),
        ("embedding_batch_size", "rename it to EMBEDDING_BATCH_SIZE"),
        ("DATABSE_URL", "rename it to DATABASE_URL"),
        ("REDIS_URI", "rename it to REDIS_URL"),
        ("OPENAI_ORGANIZATION_7", "remove it"),
        ("NODE_ENV", "its own DATA_DIR, DATABASE_URL and REDIS_URL"),
        ("DJANGO_ENV", "its own DATA_DIR, DATABASE_URL and REDIS_URL"),
    ],
)
def test_a_name_that_looks_like_a_setting_is_named(name: str, fix: str) -> None:
    (found,) = unknown([name, *KNOWN], KNOWN)
    assert found.check == f"setting {name}"
    assert fix in found.fix


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "HOSTNAME",
        "HOSTS",
        "PORTS",
        "VIRTUAL_ENV",
        "DATABASE_HOST",
        "REDIS_HOST",
        "SSH_AUTH_SOCK",
        "PGPORT",
        "NIX_SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ],
)
def test_names_of_other_programs_are_left_alone(name: str) -> None:
    assert not list(unknown([name], KNOWN))


def test_every_unknown_name_in_the_file_is_named() -> None:
    found = {each.check: each for each in unknown_in_file(["PORT", "HOMEE", "NODE_ENV"], "/app/.env", KNOWN)}
    assert set(found) == {"setting HOMEE", "setting NODE_ENV"}
    assert "is set in /app/.env, but nothing reads it" in found["setting HOMEE"].detail
    assert "remove it from /app/.env" in found["setting HOMEE"].fix
