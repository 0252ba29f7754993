"""`manage.py serve_embedder`: where it listens, before its model is loaded."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings


def test_a_port_of_the_settings_needs_the_secret_of_the_settings(settings: Settings) -> None:
    settings.LOCAL_EMBEDDER_PORT, settings.LOCAL_EMBEDDER_SECRET = 18_000, "short"
    with pytest.raises(CommandError, match="LOCAL_EMBEDDER_SECRET"):
        call_command("serve_embedder")


@pytest.mark.parametrize("words", [["--port", "0"], ["--port", "18000"]])
def test_a_port_that_is_given_comes_before_the_socket_of_the_settings(
    settings: Settings, tmp_path: Path, words: list[str]
) -> None:
    settings.LOCAL_EMBEDDER_PORT, settings.LOCAL_EMBEDDER_SECRET = 0, ""
    settings.LOCAL_EMBEDDER_SOCKET = tmp_path / "socket"
    with pytest.raises(CommandError, match="LOCAL_EMBEDDER_SECRET"):
        call_command("serve_embedder", *words)
    assert not (tmp_path / "socket").exists()
