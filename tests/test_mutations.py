"""The list of guards fits the source, and a guard that is taken away is missed."""

import os
from collections import Counter

import pytest

from drills.guards import MUTATIONS, Mutation
from drills.mutations import (
    StaleError,
    UselessError,
    copy_of_the_tree,
    failed_in,
    failing_tests,
    main,
    mutated,
    without_guard,
)
from tests.paths import ROOT
from tests.servers import DATABASE_VARIABLE, REDIS_VARIABLE

FINITE = next(mutation for mutation in MUTATIONS if mutation.guard == "reply: finite numbers")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.guard)
def test_a_guard_is_where_the_list_says_and_its_tests_exist(mutation: Mutation) -> None:
    source = (ROOT / mutation.path).read_text()
    assert without_guard(source, mutation) != source
    assert all((ROOT / name).is_file() for name in mutation.tests)


def test_every_guard_has_a_name_of_its_own() -> None:
    assert not [
        name for name, count in Counter(mutation.guard for mutation in MUTATIONS).items() if count > 1
    ]


@pytest.mark.parametrize("source", ["", "guarded guarded"])
def test_a_guard_that_is_written_differently_now_is_said_and_not_passed_over(source: str) -> None:
    mutation = Mutation("a guard", "some/file.py", "guarded", "open", ())
    with pytest.raises(StaleError, match=r"some/file\.py has the guard 'a guard' [02] times, not once"):
        without_guard(source, mutation)


@pytest.mark.slow
def test_a_guard_that_is_taken_away_is_missed_by_a_test_and_the_checkout_keeps_it() -> None:
    addresses = {DATABASE_VARIABLE: os.environ["DATABASE_URL"], REDIS_VARIABLE: os.environ["REDIS_URL"]}
    with copy_of_the_tree() as tree:
        assert not (tree / ".git").exists()
        with mutated(tree, FINITE):
            assert "if False:" in (tree / FINITE.path).read_text()
            assert failing_tests(tree, FINITE.tests, addresses)
        assert (tree / FINITE.path).read_text() == (ROOT / FINITE.path).read_text()


@pytest.mark.parametrize(
    ("code", "told", "fallen"),
    [
        (0, "12 passed in 3.4s", []),
        (
            1,
            "FAILED tests/test_a.py::test_b[1] - assert\nFAILED tests/test_a.py::test_b[2]\n2 failed",
            ["test_b"],
        ),
        (1, "ERROR tests/test_a.py::test_b - rows that cannot be\n1 passed, 1 error", ["test_b"]),
    ],
)
def test_the_fallen_tests_are_named_once(code: int, told: str, fallen: list[str]) -> None:
    assert failed_in(code, told) == fallen


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (1, "ERROR tests/test_a.py::test_b - the schema is broken\n2 errors"),
        (2, "ERROR tests/test_a.py - SyntaxError\n1 passed"),
        (4, "ERROR: file or directory not found"),
        (5, "no tests ran"),
    ],
)
def test_tests_that_could_not_run_prove_nothing(code: int, told: str) -> None:
    with pytest.raises(UselessError, match="pytest could not run"):
        failed_in(code, told)


def test_a_name_that_no_guard_has_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nonsense"]) == 2
    assert "No guard has nonsense in its name." in capsys.readouterr().err
