"""The local embedder's options, for `manage.py serve_embedder` and `python -m embeddings.embedder` alike."""

import argparse
import os
from collections.abc import Callable

from embeddings.embedder import server
from embeddings.embedder.model import ModelMissing


def add_options(parser: argparse.ArgumentParser, port: int | None) -> None:
    """Adds the options; `port` is the default port, None where the caller has to choose."""
    parser.add_argument("--port", type=int, default=port, required=port is None, help="0 takes a free one")
    parser.add_argument("--threads", type=int, help="runs at a time (default: the cores, at most 8)")


def run(port: int, threads: int | None, announce: Callable[[str], object]) -> str:
    """Serves until a signal ends the process; returns only when it could not start: the sentence that says why."""
    try:
        server.serve(port, threads, announce)
    except ModelMissing as error:
        return str(error)
    except OverflowError:
        return f"--port is {port}; it may be 0 to 65535."
    except OSError as error:
        return f"The embedder cannot listen on {server.LOOPBACK}:{port}: {os.strerror(error.errno or 0)}."
