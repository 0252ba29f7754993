"""Damages the files of an embedded Valkey that does not run: each file and folder of it, in each way."""

import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from config.stack.damaged_files import KEPT

type Damage = Callable[[Path, random.Random], object]

_STRANGER = 4_242
_GARBLED_BYTES = 64
_NEWER = b"REDIS0999"  # the first bytes of a snapshot of a version that is still to come

TARGETS = ("base", "incr", "manifest", "appendonlydir", "valkey")
"""The three kinds of files, by what is in their names, and the two folders."""


def find(data_dir: Path, target: str) -> Path:
    """The file or folder of this name in Valkey's folder in `data_dir`."""
    folder = data_dir / "valkey"
    places = {"valkey": folder, "appendonlydir": folder / "appendonlydir"}
    return places.get(target) or next(
        path for path in (folder / "appendonlydir").iterdir() if target in path.name.split(".")
    )


def _cut(path: Path, chosen: random.Random) -> None:
    os.truncate(path, chosen.randrange(max(1, path.stat().st_size)))


def _garble(path: Path, chosen: random.Random) -> None:
    data = bytearray(path.read_bytes())
    begin = chosen.randrange(max(1, len(data) - _GARBLED_BYTES))
    data[begin : begin + _GARBLED_BYTES] = chosen.randbytes(_GARBLED_BYTES)
    path.write_bytes(data)


def _empty(path: Path, _chosen: random.Random) -> None:
    os.truncate(path, 0)


def _newer(path: Path, _chosen: random.Random) -> None:
    path.write_bytes(_NEWER + path.read_bytes()[len(_NEWER) :])


def _remove(path: Path, _chosen: random.Random) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _of_another_owner(path: Path, _chosen: random.Random) -> None:
    os.chown(path, _STRANGER, _STRANGER)


def _unreadable(path: Path, _chosen: random.Random) -> None:
    path.chmod(0)


def _replaced(make: Callable[[Path], object]) -> Damage:
    def replace(path: Path, chosen: random.Random) -> None:
        owner = path.stat()
        _remove(path, chosen)
        make(path)
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    return replace


OF_FILES: dict[str, Damage] = {"cut": _cut, "garbled": _garble, "empty": _empty, "of a newer version": _newer}
OF_BOTH: dict[str, Damage] = {
    "missing": _remove,
    "of another owner": _of_another_owner,
    "unreadable": _unreadable,
    "a link": _replaced(lambda path: path.symlink_to("/dev/zero")),
    "a pipe": _replaced(os.mkfifo),
}
A_FOLDER, A_FILE = _replaced(Path.mkdir), _replaced(Path.touch)


def damages(target: str) -> dict[str, Damage]:
    """What can happen to a target, by name; only root can give a file to another owner."""
    is_folder = target in ("valkey", "appendonlydir")
    kinds = {**OF_BOTH, "a file": A_FILE} if is_folder else {**OF_FILES, **OF_BOTH, "a folder": A_FOLDER}
    return {name: do for name, do in kinds.items() if name != "of another owner" or os.geteuid() == 0}


ALL = [(target, name) for target in TARGETS for name in damages(target)]


def litter(data_dir: Path) -> list[str]:
    """What the start has left that it should not have."""
    kept = [path for path in data_dir.iterdir() if path.name.startswith("valkey.")]
    aside = [path for path in kept if path.name.startswith("valkey.damaged-")]
    found = [f"{path.name} is left" for path in kept if path not in aside]
    ours = [path for path in aside if _is_ours(path, data_dir)]
    found += [f"{len(ours)} folders are set aside"] if len(ours) > KEPT else []
    folder = (data_dir / "valkey").lstat()
    if not stat.S_ISDIR(folder.st_mode) or stat.S_IMODE(folder.st_mode) != 0o700:
        found.append("valkey is not a private folder")
    return found


def _is_ours(path: Path, data_dir: Path) -> bool:
    """Whether the account may remove it: of another user's folder it can only change the name."""
    wanted = data_dir.stat().st_uid
    places = (path, path / "appendonlydir")
    return all(each.lstat().st_uid == wanted for each in places if each.exists())
