"""Runs the local embedder until a signal ends it."""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from embeddings.servers.local_embedder import memory, model
from embeddings.servers.local_embedder.handler import Handler
from embeddings.servers.local_embedder.listening import Listening
from embeddings.servers.local_embedder.server import EmbedderServer

# How long a thread that counts the tokens of a large request may keep a search's thread waiting; Python's own is 5 ms.
_SWITCH_SECONDS = 0.001


def serve(
    listen: Callable[[], Listening], threads: int | None, announce: Callable[[str], object]
) -> NoReturn:
    """Loads the model, then serves until SIGTERM or SIGINT and ends the process within a second."""
    memory.share_one_heap()
    sys.setswitchinterval(_SWITCH_SECONDS)
    loaded = model.Model(threads)
    listening = listen()
    with EmbedderServer(listening, loaded, Handler) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        announce(f"listening on {listening.name}")
        server.serve_forever(poll_interval=0.1)
    _leave()


def _leave() -> NoReturn:
    """Ends the process at once: an interpreter that ends under a run of the model aborts in its native code."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
