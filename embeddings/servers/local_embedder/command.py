"""The local embedder's options, for its command and `python -m embeddings.servers.local_embedder` alike."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from embeddings.servers.local_embedder import listening, server_proof, serving
from embeddings.servers.local_embedder.listening import CannotListen
from embeddings.servers.local_embedder.model import ModelMissing


def add_options(parser: argparse.ArgumentParser, usual: str | None) -> None:
    """Adds the options; `usual` is the default address, None if the caller must choose."""
    where = parser.add_mutually_exclusive_group(required=usual is None)
    place = f" (default: {usual})" if usual else ""
    where.add_argument(
        "--socket", type=Path, metavar="PATH", help=f"listen on this Unix socket, in a private folder{place}"
    )
    where.add_argument(
        "--port", type=int, metavar="N", help="listen on a port of loopback instead; 0 takes a free one"
    )
    parser.add_argument("--threads", type=int, help="concurrent runs (default: the cores, at most 8)")


def run(
    socket: Path | None, port: int | None, secret: str, threads: int | None, announce: Callable[[str], object]
) -> str:
    """Serves on `socket` or on `port` until a signal ends the process; returns only if it could not start: the
    sentence why. `secret` is needed for a port."""
    try:
        listen = partial(listening.on_socket, socket) if socket else _port(port or 0, secret)
        serving.serve(listen, threads, announce)
    except (ModelMissing, CannotListen) as error:
        return str(error)


def _port(port: int, secret: str) -> Callable[[], listening.Listening]:
    if len(secret) < server_proof.MIN_SECRET_LENGTH:
        raise CannotListen(
            "A port can be reached by every account of this machine, so it needs a secret of at least "
            f"{server_proof.MIN_SECRET_LENGTH} characters: set LOCAL_EMBEDDER_SECRET, or start the command "
            "serve_embedder with LOCAL_EMBEDDER_PORT set, which keeps one in DATA_DIR. Web and workers need the same "
            "settings."
        )
    return partial(listening.on_port, port, secret)
