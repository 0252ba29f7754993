"""What a database server must be is judged by what it says of itself, and each thing in the way has its statement."""

from typing import Any

import pytest

from queueops.operate.checks import server
from queueops.operate.checks.finding import CheckResult, Finding
from queueops.operate.checks.server import Server
from tests.paths import ROOT
from tests.queueops.refusing_database import read_only

GOOD = Server("18.6", 180_006, False, False, "UTF8", "0.8.6", "0.8.6", "vectorpress", "app", "public", True)


def verdicts(**differs: Any) -> dict[str, Finding]:
    facts = GOOD._replace(**differs)
    steps = (server._version, server._pgvector)
    found = [*(step(facts) for step in steps), *server._encoding(facts), *server._writable(facts)]
    return {each.check: each for each in [*found, *server._schema(facts)]}


def test_a_good_server_has_nothing_against_it() -> None:
    assert {each.verdict for each in verdicts().values()} == {CheckResult.OK}


@pytest.mark.parametrize(
    ("number", "verdict"), [(150_018, "fail"), (159_999, "fail"), (160_000, "ok"), (180_006, "ok")]
)
def test_the_oldest_release_is_that_of_the_readme(number: int, verdict: str) -> None:
    assert verdicts(number=number)["database"].verdict == verdict


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        (None, "fail"),
        ("0.7.4", "fail"),
        ("0.8.0", "warn"),
        ("0.8.3", "warn"),
        ("0.8.4", "ok"),
        ("0.10.0", "ok"),  # numbers, not letters
        ("1.0", "ok"),
        ("0.8", "fail"),  # less than 0.8.0, for all one can tell
    ],
)
@pytest.mark.parametrize("is_installed", [True, False])
def test_a_version_of_pgvector_is_good_has_faults_or_will_not_do(
    version: str | None, verdict: str, is_installed: bool
) -> None:
    finding = verdicts(vector=version if is_installed else None, offered=version)["pgvector"]
    assert finding.verdict == verdict
    assert bool(finding.fix) is (verdict != "ok")


@pytest.mark.parametrize(
    ("differs", "check", "fix"),
    [
        ({"number": 150_018}, "database", "Use Postgres 16 or newer, or unset DATABASE_URL"),
        ({"vector": None, "offered": None}, "pgvector", "the package postgresql-18-pgvector"),
        (
            {"vector": None, "offered": None, "number": 150_018},
            "pgvector",
            "the package postgresql-16-pgvector",
        ),
        ({"vector": "0.5.0"}, "pgvector", "then run: ALTER EXTENSION vector UPDATE;"),
        ({"vector": None, "offered": "0.5.0"}, "pgvector", "then run this again."),
        ({"encoding": "LATIN1"}, "encoding", "ENCODING 'UTF8' TEMPLATE template0;"),
        ({"is_replica": True}, "writes", "Set DATABASE_URL to the primary."),
        ({"is_read_only": True}, "writes", "default_transaction_read_only"),
        ({"schema": None}, "schema", "search_path"),
        (
            {"may_create": False, "role": 'a"b'},
            "schema",
            'run in it: GRANT CREATE ON SCHEMA "public" TO "a""b";',
        ),
    ],
)
def test_each_thing_in_the_way_has_its_way_out(differs: dict[str, Any], check: str, fix: str) -> None:
    finding = verdicts(**differs)[check]
    assert finding.verdict is CheckResult.FAIL
    assert fix in finding.fix


def test_the_readme_says_the_same() -> None:
    row = next(line for line in (ROOT / "README.md").read_text().splitlines() if "`DATABASE_URL`" in line)
    least, good = (".".join(map(str, each)) for each in (server.LEAST_PGVECTOR, server.GOOD_PGVECTOR))
    assert f"a Postgres ≥ {server.LEAST_POSTGRES} with pgvector ≥ {least} ({good} or newer is better)" in row


@pytest.mark.django_db
def test_nothing_is_in_the_way_of_a_database_in_use() -> None:
    assert server.obstacles() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("differs", [{"is_read_only": True}, {"is_replica": True}])
def test_a_server_that_takes_no_writes_is_not_asked_to_install_an_extension(differs: dict[str, Any]) -> None:
    with read_only():
        assert list(server.check_before_migrating(GOOD._replace(vector=None, **differs))) == []
