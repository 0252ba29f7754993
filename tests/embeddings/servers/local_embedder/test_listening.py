"""Where the embedder listens: for this account alone, never over something that is not its own."""

import os
import signal
import socket
import stat
from pathlib import Path

import httpx
import pytest

from embeddings.servers.local_embedder import listening
from embeddings.servers.local_embedder.listening import CannotListen, Listening
from tests.embeddings.servers.local_embedder import other_account
from tests.providers import ProviderProcess, local_embedder, refusal_to_start

pytestmark = pytest.mark.slow

CONNECT = """
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except OSError as error:
    print(error.errno)
"""


@pytest.fixture
def path(folder: Path, request: pytest.FixtureRequest) -> Path:
    """A path in a folder that does not exist yet."""
    return folder / str(abs(hash(request.node.name)) % 10**9) / "embedder.sock"


def listen(path: Path) -> Listening:
    return listening.on_socket(path)


def end(open_one: Listening) -> None:
    open_one.socket.close()
    assert open_one.lock is not None
    os.close(open_one.lock)


def refusal(path: Path) -> str:
    with pytest.raises(CannotListen) as caught:
        listen(path)
    return str(caught.value)


def test_the_socket_and_its_folder_are_for_their_owner_alone(path: Path) -> None:
    end(listen(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@other_account.only_root
def test_another_account_cannot_connect_even_if_the_folder_were_open(on_socket: ProviderProcess) -> None:
    path = Path(on_socket.endpoint.socket)
    path.parent.chmod(0o755)
    try:
        assert other_account.run(CONNECT, str(path)) == "13"  # EACCES
    finally:
        path.parent.chmod(0o700)
    assert other_account.run(CONNECT, str(path)) == "13"


@other_account.only_root
def test_a_folder_of_another_account_is_refused(folder: Path) -> None:
    folder.chmod(0o711)
    open_folder = folder / "open"
    open_folder.mkdir()
    (open_folder / "theirs").mkdir(0o700)
    os.chown(open_folder / "theirs", 12_345, 12_345)
    first = "from pathlib import Path\nfrom embeddings.servers.local_embedder import listening"
    lines = (
        "try: listening.on_socket(Path(sys.argv[1]))\nexcept listening.CannotListen as error: print(error)"
    )
    said = other_account.run(lines, str(open_folder / "theirs" / "embedder.sock"), first=first)
    folder.chmod(0o700)
    assert f"{open_folder}/theirs belongs to uid 12345" in said or "Permission denied" in said


def test_a_folder_that_others_may_enter_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o755)
    assert f"{path.parent} has the mode 755" in refusal(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755


def test_a_link_in_the_folders_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path.parent.symlink_to(tmp_path)
    assert "cannot listen" in refusal(path)
    assert not list(tmp_path.iterdir())


def test_a_socket_that_a_killed_run_left_is_replaced(path: Path) -> None:
    with local_embedder(socket=path) as killed:
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait(5)
        assert path.exists()
    with local_embedder(socket=path) as next_one:
        assert next_one.http.get("/health").status_code == 200
    assert not path.exists()  # it ended in good order


@pytest.mark.parametrize("lock_is_removed", [False, True])
def test_a_living_embedder_keeps_its_socket(path: Path, lock_is_removed: bool) -> None:
    living = listen(path)
    if lock_is_removed:
        Path(f"{path}.lock").unlink()
    assert refusal(path) == (f"Another embedder listens on {path}: stop it first, or choose another path.")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        accepted, _ = living.socket.accept()
        accepted.close()
    end(living)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_not_a_socket_is_never_removed(path: Path, tmp_path: Path, kind: str) -> None:
    path.parent.mkdir(mode=0o700)
    target = tmp_path / "target"
    target.write_text("precious")
    match kind:
        case "file":
            path.touch()
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(target)
    assert refusal(path) == f"{path} exists and is not a socket: remove it, or choose another path."
    assert os.path.lexists(path)
    assert target.read_text() == "precious"


def test_a_path_too_long_for_a_socket_is_refused_with_one_sentence(folder: Path) -> None:
    path = folder / ("x" * 120) / "embedder.sock"
    assert refusal(path).startswith(f"The embedder cannot listen on {path}: ")


def test_a_port_listens_on_loopback_alone(on_port: ProviderProcess) -> None:
    address = httpx.URL(on_port.url)
    assert address.host == "127.0.0.1"
    assert address.port
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", address.port), timeout=1)


def test_a_taken_port_stops_the_start_with_one_sentence(
    on_port: ProviderProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(httpx.URL(on_port.url).port)
    monkeypatch.setenv("LOCAL_EMBEDDER_SECRET", on_port.endpoint.secret)
    said = refusal_to_start("embeddings.servers.local_embedder", "--port", port)
    assert said == f"The embedder cannot listen on 127.0.0.1:{port}: Address already in use.\n"


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_port_without_a_good_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("LOCAL_EMBEDDER_SECRET", secret)
    said = refusal_to_start("embeddings.servers.local_embedder", "--port", "0")
    assert said.startswith("A port can be reached by every account of this machine, so it needs a secret")


def test_the_secret_is_on_no_command_line(on_port: ProviderProcess) -> None:
    command = Path(f"/proc/{on_port.process.pid}/cmdline").read_bytes()
    assert on_port.endpoint.secret.encode() not in command
