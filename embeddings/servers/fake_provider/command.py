"""The fake provider's options, for its command and `python -m embeddings.servers.fake_provider` alike."""

import argparse
import os
from collections.abc import Callable
from typing import Any

from embeddings.servers.fake_provider import server
from embeddings.servers.fake_provider.settings import Settings, SettingsError

DEFAULT_PORT = 9100


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --port and a flag for every setting; lists are separated by commas."""
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    for name, field in Settings.model_fields.items():
        flag, text = f"--{name.replace('_', '-')}", str(field.description)
        if field.annotation is bool:
            parser.add_argument(flag, action="store_true", help=text)
        else:
            parser.add_argument(flag, metavar="VALUE", help=f"{text} (default: {field.default!r})")


def run(options: dict[str, Any], announce: Callable[[str], object]) -> str | None:
    """Serves until a signal ends it; returns the sentence why it could not start, if so."""
    given = {name: options[name] for name in Settings.model_fields if options[name] is not None}
    for name in ("fail_next", "refuse_fields"):
        if name in given:
            given[name] = [part for part in given[name].split(",") if part]
    try:
        server.serve(options["port"], Settings().changed(given), announce)
    except SettingsError as error:
        return str(error)
    except OverflowError:
        return f"--port is {options['port']}; it may be 0 to 65535."
    except OSError as error:
        where, reason = f"{server.LOOPBACK}:{options['port']}", os.strerror(error.errno or 0)
        return f"The fake provider cannot listen on {where}: {reason}."
    return None
