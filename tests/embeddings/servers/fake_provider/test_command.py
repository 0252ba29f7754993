"""The fake provider's options."""

import argparse
from typing import Any

import pytest

from embeddings.servers.fake_provider.command import DEFAULT_PORT, add_options, run
from embeddings.servers.fake_provider.settings import Settings


def parsed(*words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return vars(parser.parse_args(words))


def test_every_setting_has_an_option_and_none_is_given_by_default() -> None:
    options = parsed()
    assert options.pop("port") == DEFAULT_PORT
    assert set(options) == set(Settings.model_fields)
    assert not any(options.values())


def test_options_are_named_with_hyphens() -> None:
    options = parsed("--rate-429=0.5", "--one-by-one", "--port", "0")
    assert (options["rate_429"], options["one_by_one"], options["port"]) == ("0.5", True, 0)


def unreached(said: str) -> None:
    raise AssertionError(said)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--dimensions=0"], "dimensions"),
        (["--fail-next=429,nope"], "nope"),
        (["--rate-500=2"], "rate_500"),
        (["--port=70000"], "--port"),
        (["--port=-1"], "--port"),
    ],
)
def test_what_keeps_it_from_starting_is_a_sentence(words: list[str], named: str) -> None:
    sentence = run(parsed(*words), unreached)
    assert sentence
    assert named in sentence
