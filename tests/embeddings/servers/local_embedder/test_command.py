"""The local embedder's options, and what keeps it from starting before its model is loaded."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from embeddings.servers.local_embedder.command import add_options, run


def parsed(*words: str, usual: str | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_options(parser, usual)
    return vars(parser.parse_args(words))


def test_it_listens_in_one_place() -> None:
    assert parsed("--socket", "/a/b")["socket"] == Path("/a/b")
    assert parsed("--port", "0") == {"socket": None, "port": 0, "threads": None}
    assert parsed(usual="the usual place") == {"socket": None, "port": None, "threads": None}


@pytest.mark.parametrize(
    "words", [[], ["--socket", "/a", "--port", "1"], ["--port", "x"], ["--socket", "/a", "--threads", "x"]]
)
def test_what_does_not_say_where_is_refused(words: list[str]) -> None:
    with pytest.raises((argparse.ArgumentError, SystemExit)):
        parsed(*words)


def unreached(said: str) -> None:
    raise AssertionError(said)


@pytest.mark.parametrize("secret", ["", "s" * 31])
def test_a_port_needs_a_secret_that_nobody_guesses(secret: str) -> None:
    sentence = run(None, 0, secret, None, unreached)
    assert "LOCAL_EMBEDDER_SECRET" in sentence
    assert "32" in sentence
