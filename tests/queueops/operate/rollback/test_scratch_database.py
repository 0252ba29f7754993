"""The scratch database: where it is, what a process in it is told, and that it goes."""

from typing import Any

import pytest
from django.db import connection

from queueops.operate.rollback import scratch_database


def databases() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
def test_a_leftover_scratch_database_is_replaced_and_dropped_even_when_the_drill_fails() -> None:
    def boom() -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), scratch_database.database():
            assert scratch_database.name() in databases()
            boom()
    assert scratch_database.name() not in databases()


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        (
            {"HOST": "db", "PORT": 5432, "USER": "ada", "PASSWORD": "p:w"},
            "postgresql://ada:p%3Aw@db:5432/x_drill",
        ),
        (
            {"HOST": "/run/pg", "PORT": "", "USER": "ada", "PASSWORD": ""},
            "postgresql://ada@/x_drill?host=/run/pg",
        ),
        (
            {"HOST": "", "PORT": "", "USER": "ada", "PASSWORD": "", "OPTIONS": {"host": "/run/pg"}},
            "postgresql://ada@/x_drill?host=/run/pg",
        ),
        (
            {
                "HOST": "db",
                "PORT": "",
                "USER": "a",
                "PASSWORD": "",
                "OPTIONS": {"sslmode": "require", "pool": {}},
            },
            "postgresql://a@db/x_drill?sslmode=require",
        ),
    ],
)
def test_the_drills_address_is_that_of_this_installation_with_another_name(
    changes: dict[str, Any], address: str
) -> None:
    assert scratch_database.address({"NAME": "x", "OPTIONS": {}} | changes) == address


@pytest.mark.django_db
def test_only_a_database_of_its_name_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not scratch_database.is_here()
    monkeypatch.setitem(connection.settings_dict, "NAME", "x_drill")
    assert scratch_database.is_here()
    assert scratch_database.name() == "x_drill_drill"


def test_a_process_in_it_has_no_servers_keys_or_limits_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "EMBEDDING_BATCH_SIZE", "OLLAMA_BASE_URL", "VECTORPRESS_FAILPOINT"):
        monkeypatch.setenv(name, "not-for-a-drill")
    monkeypatch.setenv("REDIS_URL", "redis://not-for-a-drill")
    monkeypatch.setenv("PATH", "/bin")
    made = scratch_database.environment("postgresql://ada@/x_drill", "http://127.0.0.1:9/v1")
    assert "not-for-a-drill" not in "".join(made.values())
    assert (made["DATABASE_URL"], made["OPENAI_BASE_URL"], made["PATH"]) == (
        "postgresql://ada@/x_drill", "http://127.0.0.1:9/v1", "/bin",
    )  # fmt: skip
    assert "redis" not in made["REDIS_URL"]
