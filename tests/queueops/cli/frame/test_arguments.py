"""Options that many verbs share: what each takes, and what it refuses as no option of its kind."""

from argparse import ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from typing import Any

import pytest

from queueops.cli.frame import arguments


def parse(add: Callable[..., None], *words: str, **options: Any) -> Namespace:
    parser = ArgumentParser(exit_on_error=False)
    add(parser, **options)
    return parser.parse_args(words)


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("5", 5), ("007", 7), ("10", 10)])
def test_a_whole_number_within_its_bounds_is_taken(text: str, number: int) -> None:
    assert arguments.whole(1, 10)(text) == number


@pytest.mark.parametrize(
    "text", ["", "0", "11", "-1", "+5", "1.0", "1e1", " 5", "5 ", "1_0", "٣", "²", "0x5", "5\x00"]
)
def test_a_value_that_is_not_a_whole_number_within_the_bounds_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="1 to 10"):
        arguments.whole(1, 10)(text)


def test_a_number_of_thousands_of_digits_is_refused_as_any_other() -> None:
    with pytest.raises(ArgumentError):
        parse(arguments.add_limit, "--limit", "9" * 5_000, default=20)


def test_a_limit_has_a_default_and_a_bound() -> None:
    assert parse(arguments.add_limit, default=20).limit == 20
    assert parse(arguments.add_limit, "--limit=1000", default=20).limit == 1_000
    with pytest.raises(ArgumentError):
        parse(arguments.add_limit, "--limit=1001", default=20)


@pytest.mark.parametrize("word", ["--yes", "--confirm"])
def test_yes_has_two_names_and_is_not_said_by_default(word: str) -> None:
    assert not parse(arguments.add_agreement).yes
    assert parse(arguments.add_agreement, word).yes
    assert parse(arguments.add_agreement, "--dry-run").dry_run


def test_a_reason_is_empty_by_default_and_may_have_other_names() -> None:
    parser = ArgumentParser()
    arguments.add_reason(parser, "--why")
    assert parser.parse_args([]).reason == ""
    assert parser.parse_args(["--why", "a drill"]).reason == "a drill"


def test_a_change_takes_a_reason_and_an_agreement() -> None:
    given = parse(arguments.add_change, "--reason=a", "--yes", "--dry-run")
    assert vars(given) == {"reason": "a", "yes": True, "dry_run": True}


@pytest.mark.parametrize(
    ("words", "filters"),
    [
        ([], []),
        (["--filter=guide-"], ["guide-"]),
        (["--filter={}"], [{}]),
        (['--filter={"kind": ["a", 1]}', "--filter=guide"], [{"kind": ["a", 1]}, "guide"]),
        (['--filter=["a"]'], ['["a"]']),  # no object, so the beginning of a slug
        (["--filter="], [""]),
    ],
)
def test_a_filter_is_metadata_or_the_beginning_of_a_slug(
    words: list[str], filters: list[str | dict[str, list[str | int]]]
) -> None:
    assert parse(arguments.add_article_filter, *words).filters == filters


@pytest.mark.parametrize(
    "text", ["{", "{'a': 1}", '{"a": }', '{"a": 1} x', '{"a":' * 100_000], ids=lambda text: text[:12]
)
def test_what_begins_like_an_object_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="invalid JSON object"):
        parse(arguments.add_article_filter, "--filter", text)


def test_options_of_one_call_do_not_reach_the_next() -> None:
    assert parse(arguments.add_article_filter, "--filter=a").filters == ["a"]
    assert parse(arguments.add_article_filter).filters == []


def test_a_reason_is_bounded_as_in_the_api() -> None:
    assert parse(arguments.add_reason, "--reason", "x" * 500).reason == "x" * 500
    with pytest.raises(ArgumentError, match=r"it has 9,000 characters: use at most 500"):
        parse(arguments.add_reason, "--reason", "x" * 9_000)
