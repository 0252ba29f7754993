"""A supervisor whose stack is up becomes a smaller program: the same process with the same children, without Django.

Django is needed to start a stack and not to watch one, and takes 65 MiB. The process executes `watch.py` in its own
place (execv), so that it keeps its pid, its terminal, its lock on the data, and its children; a file without a name
takes over what it knew of them. Signals that come meanwhile wait for the other program.
"""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from config.stack.embedder import EmbedderService
from config.stack.http_service import HttpService
from config.stack.kill_switch import KillSwitch, OtherEnd
from config.stack.postgres import PostgresServer
from config.stack.processes import Account, Adopted, Process, StackError, launcher
from config.stack.service import Service
from config.stack.supervisor import STOP_SIGNALS, Memory, Supervisor
from config.stack.terminal import Report
from config.stack.valkey import ValkeyServer

_KINDS = {
    kind.__name__: kind for kind in (Service, EmbedderService, HttpService, PostgresServer, ValkeyServer)
}
_PROGRAM = [
    "-m",
    "config.stack.watch",
    "runstack",
]  # the last word is for those who look for one, see lock.py
_SECONDS_BETWEEN_LOOKS = 1.0


def become_small(supervisor: Supervisor, account: Account | None, capabilities: int) -> None:
    """Does not return, unless the other program cannot be executed: then this one can watch as well. `account` and
    `capabilities` are those of the kill switch's other end."""
    while True:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        if supervisor.is_quiet():
            break
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        supervisor.pause(_SECONDS_BETWEEN_LOOKS)
    try:
        _execute(supervisor, [account, capabilities])
    except (OSError, StackError) as error:
        for service in supervisor.services:
            service.process.go_on()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        supervisor.report.say(
            f"this process stays larger than it needs to be ({getattr(error, 'strerror', error)})"
        )


def _execute(supervisor: Supervisor, launched_as: Sequence[Any]) -> None:
    members = [_member(service) for service in supervisor.services]
    files = [member["output"] for member in members if member["output"] is not None]
    state = {
        "members": members,
        "memory": supervisor.memory(),
        "switch": [*supervisor.leash.open_files, supervisor.leash.pid, *launched_as],
    }
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(state, default=_encoded).encode())
        file.flush()
        for each in (file.fileno(), *files, *supervisor.leash.open_files):
            os.set_inheritable(each, True)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # the terminal is gone
                stream.flush()
        os.execv(sys.executable, [sys.executable, *_PROGRAM, str(file.fileno())])  # noqa: S606


def _member(service: Service) -> dict[str, Any]:
    """What is written down of a member; nothing of its output is read from here on."""
    process = service.process
    pid, output, rest = process.stand_still() or (None, None, b"")
    own = {name: value for name, value in vars(service).items() if name != "process"}
    return {
        "kind": type(service).__name__,
        "own": own,
        "process": {
            "name": process.name,
            "command": process.command,
            "stop_signal": int(process.stop_signal),
            "env": process.env,
            "account": process.account,
        },
        "capabilities": process.capabilities,
        "last_lines": list(process.last_lines),
        "pid": pid,
        "output": output,
        "rest": rest,
    }


def take_over(file: int, report: Report) -> Supervisor:
    """The supervisor that this process was before, from what it wrote into the open file."""
    with os.fdopen(file, "rb") as opened:
        opened.seek(0)
        state = json.loads(opened.read(), object_hook=_decoded)
    keep_open, pipe, pid, account, capabilities = state["switch"]
    for each in (keep_open, pipe):
        os.set_inheritable(each, False)
    as_whom = Account(*account) if account else None
    leash = KillSwitch(keep_open, partial(launcher, 0, as_whom, capabilities), OtherEnd(pid, pipe))
    supervisor = Supervisor(report, leash)
    members = [(_service(member), member) for member in state["members"]]
    supervisor.adopt([service for service, _ in members], Memory(*state["memory"]))
    for service, member in members:
        if member["pid"] is not None:
            os.set_inheritable(member["output"], False)
            service.process.adopt(Adopted(member["pid"], member["output"]), member["rest"])
    return supervisor


def _service(member: dict[str, Any]) -> Service:
    """The member with its attributes; it is not made again, which would look for programs and accounts again."""
    kind = _KINDS[member["kind"]]
    service = kind.__new__(kind)
    about = member["process"]
    process = Process(
        about["name"],
        about["command"],
        stop_signal=signal.Signals(about["stop_signal"]),
        env=about["env"],
        account=Account(*about["account"]) if about["account"] else None,
    )
    process.capabilities = member["capabilities"]
    process.last_lines.extend(member["last_lines"])
    vars(service).update(member["own"], process=process)
    if "account" in member["own"]:
        account = member["own"]["account"]
        vars(service)["account"] = Account(*account) if account else None
    if "address" in member["own"]:
        vars(service)["address"] = tuple(member["own"]["address"])
    return service


def _encoded(value: object) -> object:
    """JSON for what it does not know: paths and bytes."""
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    raise StackError(f"{value!r} cannot be handed over")


def _decoded(found: dict[str, Any]) -> Any:
    if found.keys() == {"path"}:
        return Path(found["path"])
    return found["bytes"].encode("latin-1") if found.keys() == {"bytes"} else found
