"""`runstack`, with real processes: what it starts, what it survives, and what it leaves behind (nothing)."""

import os
import re
import signal
import socket
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from redis import Redis
from redis.exceptions import RedisError

from config.stack import paths
from config.stack.embedder import UnixConnection, answers
from tests.config.live_processes import free_port, listening_ports
from tests.config.stack.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
SECONDS_TO_STOP = 5.0


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def stack(data_dir: Path) -> Iterator[Stack]:
    """A first start, shared by the tests that leave it running."""
    running = Stack(data_dir, free_port())
    try:
        running.await_line("stop    Ctrl-C")
        yield running
    finally:
        running.end()


def refused(data_dir: Path, port: int, **settings: str) -> str:
    """What a stack says that must not start; it exits with 2."""
    second = Stack(data_dir, port, **settings)
    code, _ = second.await_end()
    assert code == 2
    return second.output


def test_the_first_start_prints_address_login_and_token_and_keeps_them_private(
    stack: Stack, data_dir: Path
) -> None:
    password = re.search(r"admin, password (\S+) \(shown this once", stack.output)
    assert password
    assert f"http://127.0.0.1:{stack.port}/admin/" in stack.output
    token = (data_dir / "auth_token").read_text().strip()
    assert f"token {token} (shown this once, kept in {data_dir / 'auth_token'})" in stack.output
    assert (data_dir / "admin_login").read_text() == f"admin\n{password[1]}\n"
    for secret in ("admin_login", "auth_token", "secret_key"):
        assert (data_dir / secret).stat().st_mode & 0o777 == 0o600


def test_the_admin_login_it_prints_opens_the_admin(stack: Stack, data_dir: Path) -> None:
    name, password = (data_dir / "admin_login").read_text().split()
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.port}", timeout=30) as browser:
        form = browser.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
        assert token
        answer = browser.post(
            "/admin/login/?next=/admin/",
            data={"username": name, "password": password, "csrfmiddlewaretoken": token[1]},
        )
        assert answer.status_code == 302


def test_every_line_stands_behind_the_name_of_its_process_and_without_colours_off_a_terminal(
    stack: Stack,
) -> None:
    assert all(re.match(r"[a-z]+ +│ ", line) for line in stack.lines)
    assert "\x1b" not in stack.output


def test_a_second_up_on_the_same_data_says_so_and_stops(stack: Stack, data_dir: Path) -> None:
    sentence = refused(data_dir, free_port())
    assert f"Vectorpress already runs on the data in {data_dir}" in sentence
    assert f"http://127.0.0.1:{stack.port}" in sentence


def test_a_taken_port_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    with socket.socket() as other_program:
        other_program.bind(("127.0.0.1", 0))
        other_program.listen()
        port = other_program.getsockname()[1]
        sentence = refused(tmp_path, port)
    assert f"Port {port} on 127.0.0.1 cannot be used" in sentence
    assert "set PORT to a free one" in sentence


def test_nothing_but_the_web_listens_on_a_port(stack: Stack, data_dir: Path) -> None:
    assert stack.pids("local_embedder")
    assert listening_ports(stack.processes()) == {stack.port}
    assert stat.S_IMODE(paths.embedder_socket(paths.socket_dir(data_dir)).stat().st_mode) == 0o600


def test_a_killed_embedder_is_started_again_on_its_socket(stack: Stack, data_dir: Path) -> None:
    seen = len(stack.lines)
    before = stack.pids("local_embedder")
    os.kill(max(before), signal.SIGKILL)
    stack.await_line("embedder was ended by SIGKILL; restarting in", after=seen)
    stack.await_line("listening on unix:", after=seen)
    connection = UnixConnection(paths.embedder_socket(paths.socket_dir(data_dir)))
    assert answers(connection)


def test_a_killed_worker_is_started_again_by_itself(stack: Stack, data_dir: Path) -> None:
    wait_until(lambda: workers_of(data_dir) > 0, 90, "a worker")
    keeper, before = stack.pids("keeper.py"), stack.pids("--kept-by")
    seen = len(stack.lines)
    os.kill(max(before), signal.SIGKILL)
    stack.await_line("worker process 1 ended (SIGKILL); restart in 0.5 s", after=seen)
    wait_until(lambda: workers_of(data_dir, other_than=before) > 0, 90, "a new worker")
    assert stack.pids("keeper.py") == keeper
    assert not stack.pids("--kept-by") & before


def test_a_killed_postgres_is_started_again_with_its_data(stack: Stack, data_dir: Path) -> None:
    seen = len(stack.lines)
    (postmaster,) = [int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0])]
    os.kill(postmaster, signal.SIGKILL)
    stack.await_line("postgres was ended by SIGKILL; restarting in", after=seen)
    wait_until(lambda: admins(data_dir) == 1, 30, "Postgres")
    token = (data_dir / "auth_token").read_text().strip()
    answer = httpx.get(
        f"http://127.0.0.1:{stack.port}/api/articles",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert answer.status_code == 200


def test_a_valkey_whose_files_go_bad_while_it_runs_is_started_again_without_them(
    stack: Stack, data_dir: Path
) -> None:
    seen = len(stack.lines)
    os.kill(max(stack.pids("valkey-server")), signal.SIGKILL)
    for manifest in (data_dir / "valkey" / "appendonlydir").glob("*.manifest"):
        manifest.write_text("garbled\n")
    sentence = stack.await_line("was set aside as valkey.damaged-", after=seen)
    assert sentence.startswith("valkey   │ cannot start with what is in ")
    wait_until(lambda: answers_ping(data_dir), 60, "an empty Valkey")
    assert [path.name for path in data_dir.glob("valkey.*")] == [
        path.name for path in data_dir.glob("valkey.dam*")
    ]


def answers_ping(data_dir: Path) -> bool:
    try:
        with Redis.from_url(paths.redis_url(data_dir)) as client:
            return bool(client.ping())
    except RedisError:
        return False


def test_a_start_on_a_damaged_valkey_and_then_on_a_damaged_postgres(tmp_path: Path) -> None:
    """The one is worth nothing, and the other is the truth."""
    first = Stack(tmp_path, free_port(), EMBEDDING_PROVIDER="ollama")
    first.await_line("stop    Ctrl-C")
    first.end()
    for manifest in (tmp_path / "valkey" / "appendonlydir").glob("*.manifest"):
        manifest.write_text("garbled\n")
    second = Stack(tmp_path, free_port(), EMBEDDING_PROVIDER="ollama")
    second.await_line("was set aside as valkey.damaged-")
    second.await_line("stop    Ctrl-C")
    second.end()
    control = tmp_path / "postgres" / "global" / "pg_control"
    control.write_bytes(b"garbled" * 100)
    sentence = refused(tmp_path, free_port(), EMBEDDING_PROVIDER="ollama")
    assert f"Its data in {tmp_path / 'postgres'} was not changed." in sentence
    assert "python manage.py restore FILE" in sentence
    assert "Traceback" not in sentence
    assert control.read_bytes() == b"garbled" * 100
    assert list(tmp_path.glob("postgres.*")) == []


def workers_of(data_dir: Path, other_than: Collection[int] = ()) -> int:
    """How many worker processes have told the database that they live."""
    try:
        with psycopg.connect(paths.database_url(data_dir)) as connection:
            names = connection.execute("SELECT name FROM embedding_worker_status").fetchall()
    except psycopg.OperationalError:
        return 0
    return len({int(name.rpartition(":")[2]) for (name,) in names} - set(other_than))


def admins(data_dir: Path) -> int | None:
    """How many admins the database holds; None while it does not answer."""
    try:
        with psycopg.connect(paths.database_url(data_dir)) as connection:
            row = connection.execute("SELECT count(*) FROM auth_user WHERE is_superuser").fetchone()
    except psycopg.OperationalError:
        return None
    return row[0] if row else None


def test_a_killed_supervisor_leaves_nothing_running_and_the_next_has_all_data(tmp_path: Path) -> None:
    killed = Stack(tmp_path, free_port(), EMBEDDING_PROVIDER="ollama")
    killed.await_line("stop    Ctrl-C")
    assert killed.pids("granian")
    killed.signal(signal.SIGKILL)
    killed.await_end()
    wait_until(lambda: not killed.processes(), 10, "the end of everything")

    successor = Stack(tmp_path, free_port(), EMBEDDING_PROVIDER="ollama")
    successor.await_line(f"admin, with the password in {tmp_path / 'admin_login'}")
    assert admins(tmp_path) == 1

    successor.signal(signal.SIGTERM)
    code, seconds = successor.await_end()
    assert (code, successor.processes()) == (0, {})
    assert seconds < SECONDS_TO_STOP
    assert (tmp_path / "admin_login").read_text().split()[1] not in successor.output
    assert f"token in {tmp_path / 'auth_token'}" in successor.output
    assert (tmp_path / "auth_token").read_text().strip() not in successor.output


def test_a_bad_setting_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    assert "PORT holds '-1'; it may hold a whole number" in refused(tmp_path, -1)


def test_a_database_that_does_not_answer_is_named_by_its_setting(tmp_path: Path) -> None:
    nowhere = f"postgresql://postgres@127.0.0.1:{free_port()}/vectorpress"
    sentence = refused(
        tmp_path, free_port(), DATABASE_URL=nowhere, DATABASE_POOL="0", EMBEDDING_PROVIDER="ollama"
    )
    assert "The database that DATABASE_URL names cannot be used" in sentence


def test_a_broker_that_does_not_answer_is_named_by_its_setting(tmp_path: Path) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    servers = {"DATABASE_URL": os.environ["DATABASE_URL"], "REDIS_URL": nowhere}
    sentence = refused(tmp_path, free_port(), EMBEDDING_PROVIDER="ollama", **servers)
    assert "The server that REDIS_URL names cannot be used" in sentence


def test_a_start_names_its_file_of_settings_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("EMBEDING_MODEL=x\nEMBEDDING_PROVIDER=ollama\n")
    servers = {"DATABASE_URL": os.environ["DATABASE_URL"], "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    said = refused(tmp_path, free_port(), ENV_FILE=str(file), **servers)
    assert f"settings are read from {file}" in said
    assert f"warning: setting EMBEDING_MODEL is set in {file}, but nothing reads it" in said


def test_vectors_keep_their_embedder_whatever_provider_is_set_later(tmp_path: Path) -> None:
    first = Stack(tmp_path, free_port())
    first.await_line("stop    Ctrl-C")
    token = (tmp_path / "auth_token").read_text().strip()
    api = {"Authorization": f"Bearer {token}"}
    text = {"title": "A kept text", "content": "Its vectors stay."}
    httpx.post(f"http://127.0.0.1:{first.port}/api/articles", json=text, headers=api).raise_for_status()
    wait_until(lambda: vectors_of(tmp_path) == 1, 60, "the vectors")
    first.end()
    second = Stack(tmp_path, free_port(), EMBEDDING_PROVIDER="ollama")
    second.await_line(
        "warning: local/all-MiniLM-L6-v2 v1 is serving, and the settings name ollama/nomic-embed-text"
    )
    second.await_line("stop    Ctrl-C")
    query = {"query": "what stays", "k": 1, "mode": "semantic"}
    reply = httpx.post(f"http://127.0.0.1:{second.port}/api/search", json=query, headers=api).json()
    second.end()
    assert (reply["answered_by"], reply["degraded"]) == ("semantic", False)


def vectors_of(data_dir: Path) -> int:
    with psycopg.connect(paths.database_url(data_dir)) as connection:
        row = connection.execute("SELECT count(*) FROM article_embeddings").fetchone()
    return row[0] if row else 0
