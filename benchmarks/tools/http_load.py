"""Posts JSON bodies over keep-alive connections and times each answer; a process of its own, cheap beside the server.

    python -m benchmarks.tools.http_load --url URL --token TOKEN --connections N --bodies FILE

FILE holds one body a line. Prints {"seconds": the whole, "latencies": [seconds of each], "statuses": {status: count}}.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

_LENGTH = b"content-length: "


class Load(NamedTuple):
    seconds: float
    latencies: list[float]
    statuses: dict[str, int]


def run(url: str, token: str, connections: int, bodies: Path) -> Load:
    """Runs the load in a process of its own."""
    words = ["--url", url, "--token", token, "--connections", str(connections), "--bodies", str(bodies)]
    command = [sys.executable, "-m", "benchmarks.tools.http_load", *words]
    return Load(**json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


class _Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next, until there are none."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float], statuses: Counter[str]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._statuses = statuses
        self._answer = b""
        self._sent = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if _is_whole(self._answer):
            self._latencies.append(time.perf_counter() - self._sent)
            self._statuses[self._answer[9:12].decode()] += 1
            self._answer = b""
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    _, found, rest = head.lower().partition(_LENGTH)
    assert found, "the answer does not say its length"
    return len(body) >= int(rest.partition(b"\r\n")[0])


def _requests(url: str, token: str, bodies: Path) -> list[bytes]:
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    lines = bodies.read_bytes().splitlines()
    return [head + str(len(line)).encode() + b"\r\n\r\n" + line for line in lines]


async def _load(options: argparse.Namespace) -> Load:
    parts = urlsplit(options.url)
    requests = iter(_requests(options.url, options.token, options.bodies))
    latencies: list[float] = []
    statuses: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    made = [
        await loop.create_connection(
            lambda: _Connection(requests, latencies, statuses), parts.hostname, parts.port
        )
        for _ in range(options.connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in made))
    return Load(time.perf_counter() - started, latencies, statuses)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--bodies", type=Path, required=True)
    print(json.dumps(asyncio.run(_load(parser.parse_args()))._asdict()))


if __name__ == "__main__":
    main()
