"""One stack per data folder: a lock that ends with its holder, and names it."""

import fcntl
import os
import stat
import time
from pathlib import Path

from config.stack import disk_space
from config.stack.accounts import ourselves
from config.stack.orphans import command_line
from config.stack.processes import StackError
from config.stack.work_as_owner import working_in

SECONDS_TO_CLEAN_UP = 10.0  # what a killed stack's leash needs at most, see kill_switch.py


class DataLock:
    """The right to run the servers of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.path = data_dir / "stack.lock"
        self._file: int | None = None

    def acquire(self, url: str) -> int:
        """Takes the lock, to be found under `url`, and returns the file that holds it; refuses if held.

        Children that inherit the file hold the lock too: a killed stack's folder is free once its leash has
        ended its last process, which is waited for.
        """
        with working_in(self.data_dir):
            self._make_folder()
            file = self._opened()
        deadline = time.monotonic() + SECONDS_TO_CLEAN_UP
        while not self._locked(file):
            holder, its_url = self._holder(file)
            if time.monotonic() > deadline or "runstack" in command_line(holder):
                os.close(file)
                raise StackError(
                    f"Vectorpress already runs on the data in {self.data_dir} (process {holder}, {its_url}): "
                    "stop it there, or set DATA_DIR and PORT to run another one."
                )
            time.sleep(0.05)
        self._write(file, f"{os.getpid()}\n{url}\n".encode())
        self._file = file
        return file

    def release(self) -> None:
        """Gives the folder free."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, file: int, words: bytes) -> None:
        """Over what is there, which needs no room. Without the words the lock holds as well."""
        try:
            os.pwrite(file, words, 0)
            os.ftruncate(file, len(words))
        except OSError as error:
            if not disk_space.is_missing(error):
                raise

    def _locked(self, file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _make_folder(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if disk_space.is_missing(error):
                raise StackError(disk_space.sentence(self.data_dir)) from None
            raise StackError(f"{self.data_dir} cannot be made ({error.strerror}): set DATA_DIR.") from None

    def _opened(self) -> int:
        """The file, which root must not write through a link that the folder's owner has put there."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            if disk_space.is_missing(error):
                raise StackError(disk_space.sentence(self.data_dir)) from None
            advice = (
                "remove it"
                if self.path.exists()
                else f"let {ourselves()} write to {self.data_dir}, or set DATA_DIR"
            )
            raise StackError(f"{self.path} cannot be opened ({error.strerror}): {advice}.") from None
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            os.close(file)
            raise StackError(f"{self.path} is a link or not a file: remove it.")
        return file

    def _holder(self, file: int) -> tuple[int, str]:
        """Process id and address of the holder; 0 and "?" in the moment before it has written them."""
        pid, _, url = os.pread(file, 1000, 0).decode(errors="replace").strip().partition("\n")
        return int(pid) if pid.isdigit() else 0, url.partition("\n")[0] or "?"
