"""A small filesystem of its own for a drill, which it can fill and empty again."""

import contextlib
import errno
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_MEGABYTES = 400
_PIECE, _LEFT_BYTES = 1 << 20, 48 << 20


class SmallDisk:
    """`folder` is where it is mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill_almost(self) -> None:
        """Takes what is free but for some megabytes, so that the rest is filled in no time."""
        free = shutil.disk_usage(self.folder).free - _LEFT_BYTES
        with self._ballast.open("ab", buffering=0) as ballast:
            for _ in range(free // _PIECE):
                ballast.write(bytes(_PIECE))

    def fill(self) -> None:
        """Takes what is free, to the last block; may be called again and again."""
        for size in (_PIECE, 4096):
            with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
                while ballast.write(bytes(size)) == size:
                    pass

    def clear(self) -> None:
        """Gives back what `fill` took."""
        self._ballast.unlink(missing_ok=True)

    def is_full(self) -> bool:
        """Whether nothing can be written to it."""
        probe = self.folder / "probe"
        try:
            probe.write_bytes(bytes(4096))
        except OSError as error:
            return error.errno == errno.ENOSPC
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()
        return False


@contextlib.contextmanager
def mounted() -> Iterator[SmallDisk]:
    """Raises OSError, with the reason, if this machine does not allow the mount."""
    with tempfile.TemporaryDirectory(prefix="vectorpress-disk-") as folder:
        _run("mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m,mode=0755", "tmpfs", folder)
        try:
            yield SmallDisk(Path(folder))
        finally:
            _run("umount", "--lazy", folder)


def why_not() -> str:
    """The reason why this machine does not allow the mount; empty if it does."""
    try:
        with mounted():
            return ""
    except OSError as error:
        return str(error)


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise OSError(f"{words[0]}: {error.stderr.strip()}") from error
