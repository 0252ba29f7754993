"""Files that somebody else made: links, FIFOs, loops and races give nothing away and hold nothing up."""

import os
import socket
import time
from pathlib import Path

import pytest

from lib.regular_files import Folder, Listed, NotRegular, read_small

LINK = "is a link, and links are not followed; --follow-links follows them"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path: Path = tmp_path / "outside" / "token.md"
    path.parent.mkdir()
    path.write_text("the token")
    path.chmod(0o600)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path: Path = tmp_path / "root"
    (path / "a").mkdir(parents=True)
    (path / "a" / "one.md").write_text("one")
    (path / "two.MD").write_text("two")
    (path / "other.txt").write_text("no")
    (path / ".hidden.md").write_text("no")
    return path


def listed(root: Path, **options: bool) -> list[Listed]:
    with Folder(root, **options) as folder:
        return folder.files((".md",))


def read(root: Path, path: str, **options: bool) -> bytes:
    with Folder(root, **options) as folder, folder.open(path) as file:
        return file.read()


def test_files_are_listed_in_order_and_read(root: Path) -> None:
    assert listed(root) == [Listed("a/one.md"), Listed("two.MD")]
    assert read(root, "a/one.md") == b"one"


def test_links_are_listed_with_the_reason_and_never_opened(root: Path, secret: Path) -> None:
    (root / "file.md").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent)
    (root / "dangling.md").symlink_to("nowhere")
    (root / "other.link").symlink_to(secret)
    assert [found for found in listed(root) if found.problem] == [
        Listed("dangling.md", LINK),
        Listed("file.md", LINK),
        Listed("folder", LINK),
    ]
    for path in ("file.md", "folder/token.md"):
        with pytest.raises(OSError):
            read(root, path)


def test_links_are_followed_where_asked_for_but_never_round_in_circles(root: Path, secret: Path) -> None:
    (root / "file.md").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent)
    (root / "loop").symlink_to(root)
    (root / "a" / "up").symlink_to("..")
    (root / "self.md").symlink_to("self.md")
    found = listed(root, follow_links=True)
    assert [each.path for each in found if not each.problem] == [
        "a/one.md", "file.md", "folder/token.md", "two.MD"
    ]  # fmt: skip
    assert read(root, "folder/token.md", follow_links=True) == b"the token"


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(root)
    assert len(listed(tmp_path / "named")) == 2


@pytest.mark.parametrize("follow_links", [False, True])
def test_what_is_not_a_regular_file_is_not_opened(
    root: Path, follow_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "pipe.md")
    monkeypatch.chdir(root)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("door.md")
    if follow_links:
        (root / "null.md").symlink_to("/dev/null")
    began = time.monotonic()
    problems = {each.path: each.problem for each in listed(root, follow_links=follow_links) if each.problem}
    assert problems.keys() == {"pipe.md", "door.md"} | ({"null.md"} if follow_links else set())
    assert set(problems.values()) == {"is not a regular file"}
    with pytest.raises(NotRegular):
        read(root, "pipe.md", follow_links=follow_links)
    assert time.monotonic() - began < 5


def test_a_file_exchanged_for_a_link_after_the_listing_is_not_followed(root: Path, secret: Path) -> None:
    with Folder(root) as folder:
        (found, *_) = folder.files((".md",))
        (root / "a" / "one.md").unlink()
        (root / "a" / "one.md").symlink_to(secret)
        with pytest.raises(OSError):
            folder.open(found.path)


def test_a_folder_exchanged_for_a_link_after_the_listing_is_not_followed(root: Path, secret: Path) -> None:
    (secret.parent / "one.md").write_text("secret")
    with Folder(root) as folder:
        (found, *_) = folder.files((".md",))
        (root / "a").rename(root / "b")
        (root / "a").symlink_to(secret.parent)
        with pytest.raises(OSError):
            folder.open(found.path)


def test_folders_too_deep_are_shown_and_their_descriptors_closed(root: Path) -> None:
    deep = root / Path(*["d"] * 100)
    deep.mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    assert [each.problem for each in listed(root)].count("is more than 64 folders deep") == 1
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_small_file_is_read_through_a_link_but_not_from_a_pipe_or_without_end(
    tmp_path: Path, secret: Path
) -> None:
    (tmp_path / "mounted").symlink_to(secret)
    assert read_small(tmp_path / "mounted", 9) == b"the token"
    with pytest.raises(OSError, match="longer than 8 bytes"):
        read_small(secret, 8)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(NotRegular):
            read_small(path, 9)
