"""Another user of the same machine, and what a member could do if it were taken over."""

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from config.stack import paths
from drills.attack.target import Target

_STRANGER = 1  # `daemon`, on every Unix
_BECOME = "import os, socket, sys\nos.setgid({id}); os.setuid({id})\n"
_CONNECT = f"{_BECOME}socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
_READ = f"{_BECOME}open(sys.argv[1]).read()"


def strangers(target: Target) -> list[str]:
    """Sockets and files of the installation, as another user of the machine."""
    if os.geteuid() != 0:
        return _open_to_others(target)
    got = []
    for path in _sockets(target):
        got += [f"{path.name}: a stranger was connected"] if _succeeds(_CONNECT, path) else []
    for name in ("secret_key", "auth_token", "admin_login"):
        got += [f"{name}: a stranger read it"] if _succeeds(_READ, target.data_dir / name) else []
    return got + _open_to_others(target)


def _succeeds(program: str, path: Path) -> bool:
    words = [sys.executable, "-I", "-S", "-c", program.format(id=_STRANGER), str(path)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _sockets(target: Target) -> list[Path]:
    folder = paths.socket_dir(target.data_dir)
    found = [path for path in folder.iterdir() if stat.S_ISSOCK(path.stat().st_mode)]
    if len(found) < 2:
        raise RuntimeError(f"there are no sockets in {folder}")
    return found


def _open_to_others(target: Target) -> list[str]:
    private = [
        paths.socket_dir(target.data_dir),
        *(target.data_dir / name for name in ("secret_key", "auth_token")),
    ]
    return [f"{path} is open to others" for path in private if path.stat().st_mode & 0o077]


def open_ports(target: Target) -> list[str]:
    """No member listens on TCP but the web server."""
    listening = _listening_inodes()
    got = []
    for pid, command in target.processes().items():
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                port = listening.get(str(link.readlink()))
                if port and port != target.port:
                    got.append(f"port {port} is open: {command[:80]}")
    return got


def _listening_inodes() -> dict[str, int]:
    """Listening TCP sockets as /proc names them → port."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A":
                    found[f"socket:[{fields[9]}]"] = int(fields[1].rpartition(":")[2], 16)
    return found


def rights(target: Target) -> list[str]:
    """The role of web and workers: owner of their tables, without the right to run programs."""
    got = []
    if target.sql(
        "SELECT rolsuper OR rolcreaterole OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    )[0][0]:
        got.append("the database role of the web is a superuser")
    with contextlib.suppress(Exception):
        target.sql("COPY (SELECT 1) TO PROGRAM 'true'")
        got.append("SQL ran a program")
    with contextlib.suppress(Exception):
        target.sql("SELECT pg_read_file('/etc/passwd')")
        got.append("SQL read a file of the machine")
    return got + _as_root(target)


def _as_root(target: Target) -> list[str]:
    """Members that run as root, the supervisor and the process that watches it excepted."""
    if os.geteuid() != 0:
        return []
    got = []
    for pid, command in target.processes().items():
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            uid = status.partition("\nUid:")[2].split()[1]
            if uid == "0" and "runstack" not in command and "leash" not in command:
                got.append(f"it runs as root: {command[:80]}")
    return got


def exposed_secrets(target: Target) -> list[str]:
    """Secrets in command lines, which everybody may read."""
    secrets = [target.token, target.login[1], (target.data_dir / "secret_key").read_text().strip()]
    return [
        f"a secret is in the command line of {pid}"
        for pid, command in target.processes().items()
        if any(secret in command for secret in secrets)
    ]


ATTACKS: dict[str, Callable[[Target], list[str]]] = {
    "another user of the machine": strangers,
    "unexpected open ports": open_ports,
    "rights that a member does not need": rights,
    "secrets in command lines": exposed_secrets,
}
