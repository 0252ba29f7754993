"""Verifies that the server is our local embedder, before it is sent a text or a secret."""

import os
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import httpcore

from embeddings.servers.local_embedder import server_proof

_MOST_BYTES = 4_096
_HEAD_END = b"\r\n\r\n"
_PROOF_CHARACTERS = 64


class Unreachable(httpcore.ConnectError):
    """There is no connection, for a known reason; the message follows the place's name in a sentence."""


class Distrusted(Unreachable):
    """Another program listens in our embedder's place."""


def check_owner(connection: socket.socket, path: str) -> None:
    """Raises Distrusted if the process that listens on the Unix socket `path` runs as an account we do not trust.

    Trusted are our own account and root; root also trusts the owner of the socket's folder, if only they could have
    made it. If the platform does not report the listener, only the folder's mode guards the socket.
    """
    uid = _uid_of_peer(connection)
    if uid is None or uid in (os.geteuid(), 0):
        return
    if os.geteuid() != 0 or uid != _owner_of_safe_folder(Path(path).parent):
        raise Distrusted(
            f"belongs to uid {uid}, which is not the account of this process: nothing was sent to it. End that "
            "process and start the embedder again"
        )


def check_proof(stream: httpcore.NetworkStream, address: str, secret: str, left: Callable[[], float]) -> None:
    """Raises Distrusted unless the server at `address` ("127.0.0.1:18000") proves that it holds `secret`.

    `left` returns the seconds until the deadline, and raises httpcore.ConnectTimeout if none are left.
    """
    nonce = server_proof.new_nonce()
    request = f"GET {server_proof.PATH}?nonce={nonce} HTTP/1.1\r\nHost: {address}\r\n\r\n"
    stream.write(request.encode(), left())
    expected = server_proof.of(secret, address, nonce)
    if not server_proof.matches(_answer(stream, left), expected):
        raise Distrusted(
            "did not prove that it holds this installation's embedder secret: nothing was sent to it. Check which "
            "program listens there, and that LOCAL_EMBEDDER_SECRET and DATA_DIR are the same for both"
        )


def _answer(stream: httpcore.NetworkStream, left: Callable[[], float]) -> str:
    """The body of a valid reply, "" for any other."""
    heard = b""
    while len(heard) < _MOST_BYTES and len(heard.partition(_HEAD_END)[2]) < _PROOF_CHARACTERS:
        if not (piece := stream.read(_MOST_BYTES, left())):
            break
        heard += piece
    head, _, body = heard.partition(_HEAD_END)
    return body.decode(errors="replace") if head.startswith(b"HTTP/1.1 200 ") else ""


def _uid_of_peer(connection: socket.socket) -> int | None:
    """The account that listened first (socket(7), SO_PEERCRED); None if unknown."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    credentials = struct.Struct("=iII")  # pid, uid, gid
    _, uid, _ = credentials.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
    )
    return int(uid)


def _owner_of_safe_folder(folder: Path) -> int | None:
    """The folder's owner; None if accounts other than this and root could have put the folder there."""
    try:
        above, found = folder.parent.stat(), folder.lstat()
    except OSError:
        return None
    is_safe = above.st_uid in (0, found.st_uid) and not above.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid if is_safe else None
