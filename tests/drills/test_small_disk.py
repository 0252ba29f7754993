"""The drill's small disk is full when it says so, and empty again afterwards."""

import shutil
from collections.abc import Iterator

import pytest

from drills import small_disk

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def disk() -> Iterator[small_disk.SmallDisk]:
    if reason := small_disk.why_not():
        pytest.skip(f"this machine lets us mount nothing ({reason})")
    with small_disk.mounted() as mounted:
        yield mounted


def test_it_is_filled_to_the_last_block_and_cleared(disk: small_disk.SmallDisk) -> None:
    assert not disk.is_full()
    disk.fill()
    assert disk.is_full()
    with pytest.raises(OSError, match="No space left"):
        (disk.folder / "more").write_bytes(b"x" * 10_000)
    disk.clear()
    assert not disk.is_full()
    assert not (disk.folder / "ballast").exists()


def test_it_is_filled_but_for_some_megabytes(disk: small_disk.SmallDisk) -> None:
    disk.fill_almost()
    assert 40 << 20 < shutil.disk_usage(disk.folder).free < 56 << 20
    disk.clear()


def test_nothing_is_left_mounted_behind() -> None:
    if reason := small_disk.why_not():
        pytest.skip(f"this machine lets us mount nothing ({reason})")
    with small_disk.mounted() as mounted:
        folder = mounted.folder
    assert not folder.exists()
