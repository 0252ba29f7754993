"""The single rights of root that a member keeps."""

import os
from pathlib import Path

import pytest

from config.stack import capabilities
from config.stack.capabilities import NET_BIND_SERVICE, held, to_listen, to_reach
from config.stack.processes import Account

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="of Linux")


def test_what_we_hold_is_what_the_kernel_says() -> None:
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapPrm")
    )
    assert held() == int(line.split()[1], 16)


@pytest.mark.parametrize(
    ("port", "is_low"), [(1, True), (80, True), (1_023, True), (1_024, False), (5_000, False)]
)
def test_only_a_low_port_needs_a_right(port: int, is_low: bool) -> None:
    assert to_listen(port) == (held() & NET_BIND_SERVICE if is_low else 0)


def test_a_process_that_keeps_its_account_needs_no_capability(tmp_path: Path) -> None:
    assert to_reach(None, tmp_path) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as another")
def test_the_first_closed_folder_on_the_way_is_found(tmp_path: Path) -> None:
    account = Account(4_711, 4_711)
    assert capabilities.closed_folder(account, Path("/")) is None
    closed = tmp_path / "closed"
    (closed / "below").mkdir(parents=True)
    for folder in (closed.parent, *closed.parent.parents):
        if not folder.stat().st_mode & 0o001:
            closed = folder  # a folder of pytest's own is closed already
    closed.chmod(0o700)
    assert capabilities.closed_folder(account, closed / "below") == closed or closed in tmp_path.parents
    assert to_reach(account, closed) in (capabilities.DAC_READ_SEARCH, capabilities.DAC_OVERRIDE)
