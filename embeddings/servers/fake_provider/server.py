"""Runs the fake provider on loopback until a signal ends it."""

import asyncio
import signal
from collections.abc import Callable

from embeddings.servers.fake_provider.connection import Connection
from embeddings.servers.fake_provider.service import Service
from embeddings.servers.fake_provider.settings import Settings

LOOPBACK = "127.0.0.1"


def serve(port: int, settings: Settings, announce: Callable[[str], object]) -> None:
    """Serves until SIGTERM or SIGINT; port 0 takes a free one, which `announce` receives."""
    asyncio.run(_serve(port, Service(settings), announce))


async def _serve(port: int, service: Service, announce: Callable[[str], object]) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(lambda: Connection(service), LOOPBACK, port, backlog=1024)
    announce(f"listening on http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}")
    await stopped.wait()
    server.close()
