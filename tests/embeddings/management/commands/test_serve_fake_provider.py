"""`manage.py serve_fake_provider` says in a sentence why it cannot start."""

import socket

import pytest
from django.core.management import CommandError, call_command


def test_a_setting_that_cannot_be_is_named() -> None:
    with pytest.raises(CommandError, match="dimensions"):
        call_command("serve_fake_provider", "--port=0", "--dimensions=0")


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=str(port)):
            call_command("serve_fake_provider", f"--port={port}")
