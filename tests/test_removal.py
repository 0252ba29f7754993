"""The queue is removed and comes back while another process goes on saving articles."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.types.json import Json

from embeddings import recipes
from queueops.base import installed
from tests.command_shell import Obeying, Saving
from tests.databases import empty_database
from tests.providers import FakeProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

# The one of the reference, and what it answers here: spaces belong to the search, which goes on.
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'embedding_%'"


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as session:
        return {name for (name,) in session.execute(_TABLES)}


def rows(url: str, table: str) -> int:
    with psycopg.connect(url) as session:
        found = session.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert found
        return int(found[0])


def written_down(url: str) -> list[tuple[str, str, str]]:
    """Who removed or restored what, and why."""
    with psycopg.connect(url) as session:
        return session.execute(
            "SELECT actor, metadata->>'reason', metadata->'scope'->>'verb' FROM embedding_audit_logs"
            " WHERE metadata->'scope'->>'verb' IN ('remove_queue', 'restore') ORDER BY id"
        ).fetchall()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with empty_database("removal") as url:
        yield url


@pytest.fixture(scope="module")
def processes(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Obeying, Obeying]]:
    folder = tmp_path_factory.mktemp("data")
    with (
        FakeProvider(dimensions=8) as provider,
        Obeying(database, folder, provider.url) as shell,
        Obeying(database, folder, provider.url) as web,
    ):
        assert shell.do("migrate").code == 0
        recipe = recipes.make("openai", "fake-embed", 8, 200, 0, recipes.of_settings())
        with psycopg.connect(database) as session:
            session.execute(
                "UPDATE embedding_spaces SET provider = 'openai', model = 'fake-embed', dimensions = 8,"
                " chunk_tokens = 200, recipe = %s, fingerprint = %s",
                [Json(recipe.as_json()), recipe.fingerprint],
            )
        yield shell, web


def test_the_queue_goes_and_comes_back_and_no_save_fails(
    processes: tuple[Obeying, Obeying], database: str
) -> None:
    shell, web = processes
    with Saving(web) as saving:
        wait_until(lambda: (201, "pending") in saving.told, what="a save that is queued")

        dry = shell.do("remove_queue", "--dry-run", "--json").json
        assert dry["rows"]["embedding_tasks"] > 0
        assert dry["behind"] > 0
        refused = shell.do("remove_queue")
        assert (refused.code, "Not a terminal" in refused.error) == (3, True)

        removed = shell.do("remove_queue", "--yes", "--json", "--actor=ada", "--reason=not needed").json
        assert removed["is_removed"]
        assert tables(database) == {"embedding_spaces"}
        wait_until(lambda: saving.told[-1] == (201, "embedded"), what="a save that embeds in its request")
        status = shell.do("queue_admin", "status")
        assert (status.code, status.error) == (2, installed.missing())
        assert shell.do("remove_queue").out == "The queue is already removed.\n"
        assert "the queue is not installed" in shell.do("restore", removed["backup"], "--yes").error

        assert shell.do("migrate").code == 0
        wait_until(lambda: saving.told[-1] == (201, "pending"), what="a save that is queued again")
    assert {status for status, _ in saving.told} == {201}
    restores_what_was_removed(shell, database, removed["backup"])
    restores_everything(shell, database)


def restores_what_was_removed(shell: Obeying, database: str, backup: str) -> None:
    before = rows(database, "embedding_tasks")
    replaced = shell.do("restore", backup, "--yes", "--json", "--actor=bob", "--reason=needed after all").json
    assert rows(database, "embedding_tasks") == replaced["rows"]["embedding_tasks"]
    assert replaced["replaced"]["embedding_tasks"] == before
    assert not shell.do("queue_admin", "status", "--json").json["paused"]
    assert written_down(database) == [
        ("ada", "not needed", "remove_queue"),
        ("bob", "needed after all", "restore"),
    ]


def restores_everything(shell: Obeying, database: str) -> None:
    whole = shell.do("backup", "--json").json
    asked = shell.do("restore", whole["file"])
    assert (asked.code, "and replace the" in asked.error) == (3, True)
    assert shell.do("restore", whole["file"], "--dry-run").code == 0
    kept = shell.do("restore", whole["file"], "--yes", "--json").json["backup"]
    assert written_down(database)[-1][1:] == (f"restored from {whole['file']}", "restore")
    assert shell.do("restore", kept, "--yes", "--no-backup").code == 0
