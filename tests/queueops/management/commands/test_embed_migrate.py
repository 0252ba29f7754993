"""The words of `embed_migrate`: without a verb it runs, wherever Django's own options stand."""

import pytest

from queueops.management.commands.embed_migrate import with_verb


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ([], ["run"]),
        (["--yes"], ["run", "--yes"]),
        (["--forward", "--yes"], ["run", "--forward", "--yes"]),
        (["run", "--yes"], ["run", "--yes"]),
        (["analyze"], ["analyze"]),
        (["rollback", "--confirm"], ["rollback", "--confirm"]),
        (["--actor", "ada", "analyze"], ["--actor", "ada", "analyze"]),
        (["--actor", "ada", "--yes"], ["--actor", "ada", "run", "--yes"]),
        (["--actor=analyze", "--yes"], ["--actor=analyze", "run", "--yes"]),
        (["--actor", "analyze"], ["--actor", "analyze", "run"]),
        (["-v", "2", "--no-color", "--json"], ["-v", "2", "--no-color", "run", "--json"]),
        (["--verbosity=2", "analyze"], ["--verbosity=2", "analyze"]),
        (["--traceback"], ["--traceback", "run"]),
        (["--help"], ["--help"]),
        (["-h"], ["-h"]),
        (["--version"], ["--version"]),
        (["analyse"], ["run", "analyse"]),  # the parser says what is wrong with it
        (["--actor"], ["--actor", "run"]),
    ],
)
def test_a_verb_is_put_in_where_none_is_said(words: list[str], read: list[str]) -> None:
    assert with_verb(words) == read


def test_the_words_that_were_given_stay_as_they_are() -> None:
    words = ["--actor", "ada"]
    with_verb(words)
    assert words == ["--actor", "ada"]
