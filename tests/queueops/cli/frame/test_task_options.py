"""Options that say which tasks are meant: what they take, what contradicts itself, and how `clear` reads a reason."""

from argparse import ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from datetime import timedelta
from typing import Any

import pytest

from queueops.cli.frame import task_options
from queueops.cli.frame.exit_codes import Refused
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate.operations import pacing


def parse(*words: str) -> Namespace:
    parser = ArgumentParser(exit_on_error=False)
    task_options.add_tasks(parser)
    return parser.parse_args(words)


def chosen(*words: str) -> TaskFilter:
    return task_options.chosen(vars(parse(*words)))


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("1w", timedelta(weeks=1)),
        ("0s", timedelta()),
        ("36500d", timedelta(days=36_500)),
        ("999999s", timedelta(seconds=999_999)),
    ],
)
def test_an_age_is_a_number_and_its_unit(text: str, age: timedelta) -> None:
    assert task_options.age(text) == age


@pytest.mark.parametrize(
    "text",
    ["", "s", "2", "2x", "2H", "-2h", "+2h", "1.5h", " 2h", "2 h", "2h30m", "2h\n", "1000000s", "2\x00h"],
)
def test_an_invalid_age_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="invalid age"):
        task_options.age(text)


@pytest.mark.parametrize("text", ["36501d", "5215w", "999999d", "999999w"])
def test_an_age_that_would_reach_before_all_dates_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="36,500 days"):
        task_options.age(text)


@pytest.mark.parametrize(
    ("words", "selection"),
    [
        (["7"], TaskFilter(ids=(7,))),
        (["7", "8", "--status=failed"], TaskFilter(ids=(7, 8), statuses=("failed",))),
        (["--status=failed", "--status=cancelled"], TaskFilter(statuses=("failed", "cancelled"))),
        (["--error=auth"], TaskFilter(error_class="auth")),
        (["--task-reason=import"], TaskFilter(reason="import")),
        (["--priority=low"], TaskFilter(priority="low")),
        (["--older-than=2h"], TaskFilter(older_than=timedelta(hours=2))),
        (["--newer-than=7d"], TaskFilter(newer_than=timedelta(days=7))),
        (["--space=3", "--slug=a"], TaskFilter(space=3, slug="a")),
        (["--all"], TaskFilter()),
    ],
)
def test_words_become_a_filter(words: list[str], selection: TaskFilter) -> None:
    assert chosen(*words) == selection


def test_nothing_is_not_everything() -> None:
    with pytest.raises(Refused, match="--all"):
        chosen()


@pytest.mark.parametrize("words", [["7"], ["--status=failed"], ["--slug=a"], ["--older-than=1h"]])
def test_everything_and_something_contradict_each_other(words: list[str]) -> None:
    with pytest.raises(Refused, match="--all"):
        chosen("--all", *words)


@pytest.mark.parametrize(
    "words",
    [
        ["--error=a", "--error=b"],
        ["--task-reason=a", "--task-reason=b"],
        ["--priority=low", "--priority=high"],
        ["--older-than=1h", "--older-than=2h"],
        ["--newer-than=1h", "--newer-than=2h"],
        ["--space=1", "--space=2"],
        ["--slug=a", "--slug=b"],
    ],
)
def test_an_option_that_takes_one_value_refuses_a_second(words: list[str]) -> None:
    with pytest.raises(ArgumentError, match="once"):
        parse(*words)


@pytest.mark.parametrize("words", [["0"], ["x"], ["--status=done"], ["--priority=urgent"], ["--space=0"]])
def test_words_that_mean_nothing_are_not_taken(words: list[str]) -> None:
    with pytest.raises(ArgumentError):
        parse(*words)


def resolved(reason: str = "", why: str = "", task_reason: str = "") -> dict[str, Any]:
    options = {"reason": reason, "why": why, "task_reason": task_reason}
    task_options.resolve_reason(options)
    return options


@pytest.mark.parametrize(
    ("given", "reason", "task_reason"),
    [
        ({}, "", ""),
        ({"why": "a drill"}, "a drill", ""),
        ({"reason": "migration"}, "", "migration"),
        ({"reason": "migration", "why": "a drill"}, "a drill", "migration"),
        ({"reason": "a drill", "task_reason": "import"}, "a drill", "import"),
        ({"reason": "migration", "task_reason": "import"}, "migration", "import"),
        ({"why": "a drill", "task_reason": "import"}, "a drill", "import"),
    ],
)
def test_a_reason_of_clear_is_a_filter_or_why(given: dict[str, str], reason: str, task_reason: str) -> None:
    assert resolved(**given) == {"reason": reason, "task_reason": task_reason}


@pytest.mark.parametrize(
    "given",
    [
        {"reason": "migratoin"},
        {"reason": "Migration"},
        {"reason": "a drill", "why": "another"},
        {"reason": "a", "why": "b", "task_reason": "import"},
    ],
)
def test_a_reason_of_clear_that_could_be_either_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(Refused, match="--why"):
        resolved(**given)


def test_the_size_of_a_batch_has_a_bound() -> None:
    parser = ArgumentParser(exit_on_error=False)
    task_options.add_manner(parser)
    assert parser.parse_args([]).batch_size == pacing.MOST
    assert parser.parse_args(["--why=a drill"]).reason == "a drill"
    for size in ("0", str(pacing.MOST + 1)):
        with pytest.raises(ArgumentError):
            parser.parse_args([f"--batch-size={size}"])
