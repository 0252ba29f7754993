"""What lives on this machine: tests of processes ask the kernel, not the code that started them."""

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path


def processes_naming(*marks: Path | str) -> dict[int, str]:
    """Living processes that name one of these in command line, environment or working folder: pid → command line."""
    wanted = [os.fsencode(mark) for mark in marks]
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid != os.getpid() and any(mark in described(folder) for mark in wanted):
            found[pid] = (
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode() if folder.exists() else ""
            )
    return found


def described(folder: Path) -> bytes:
    """What the kernel tells of a process; nothing of one that is gone or only waits to be reaped."""
    try:
        if not (command_line := (folder / "cmdline").read_bytes()):
            return b""
        return command_line + (folder / "environ").read_bytes() + os.fsencode((folder / "cwd").readlink())
    except OSError:
        return b""


def lives(pid: int) -> bool:
    """Whether this process runs; one that only waits to be reaped does not."""
    return bool(described(Path(f"/proc/{pid}")))


def listening_ports(pids: Iterable[int]) -> set[int]:
    """The TCP ports, of whatever address, that these processes listen on (proc(5): net/tcp, state 0A)."""
    sockets = {name for pid in pids for name in _open_files(pid)}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def _open_files(pid: int) -> Iterator[str]:
    """What this process has open; nothing more of it once it or a file of it is gone."""
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            yield str(link.readlink())


def free_port() -> int:
    """A port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
