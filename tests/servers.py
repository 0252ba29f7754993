"""A pytest plugin: one temporary Postgres and Valkey for the whole run, before Django reads its settings.

Loaded with `-p tests.servers`. The first process starts them; xdist's workers inherit their addresses through the
environment. VECTORPRESS_TEST_DATABASE_URL and VECTORPRESS_TEST_REDIS_URL name servers to use instead: the role in the
first needs CREATEDB and SET ON PARAMETER deadlock_timeout, and `template1` the extension `vector`. Tests that do what
only a superuser can are skipped then, unless VECTORPRESS_TEST_MAINTENANCE_URL names one.
"""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import psycopg
import pytest

from config.stack import paths
from config.stack.postgres import FAST_AND_FORGETFUL, PostgresServer
from config.stack.valkey import ValkeyServer

DATABASE_VARIABLE = "VECTORPRESS_TEST_DATABASE_URL"
MAINTENANCE_VARIABLE = "VECTORPRESS_TEST_MAINTENANCE_URL"
REDIS_VARIABLE = "VECTORPRESS_TEST_REDIS_URL"
AUTH_TOKEN = "test-token-with-all-three-scopes"
OWN_SETTINGS = {
    "DEBUG",
    "PORT",
    "HOST",
    "DATABASE_URL",
    "REDIS_URL",
    "LOG_LEVEL",
    "MANAGE_COMMAND",
    "ALLOWED_HOSTS",
    "DATABASE_LOCK_TIMEOUT",
    "DATABASE_STATEMENT_TIMEOUT",
    "SECRET_KEY",
}
OWN_PREFIXES = (
    "EMBEDDING_",
    "OPENAI_",
    "OLLAMA_",
    "SEMANTIC_",
    "WEB_",
    "API_",
    "PUBLIC_",
    "LOCAL_EMBEDDER_",
    "STAFF_",
    "PROXY_",
    "TRUSTED_",
)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Runs before pytest-django loads the settings."""
    pass_signals_on()
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        number = int(worker.removeprefix("gw")) + 1  # each worker has a Valkey database of its own
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("db=0", f"db={number}")
        return
    forget_the_developers_settings()
    data_dir = temporary_data_dir()
    os.environ |= {
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": os.environ.get(DATABASE_VARIABLE) or started_postgres(data_dir),
        "REDIS_URL": os.environ.get(REDIS_VARIABLE) or started_valkey(data_dir),
        "DATABASE_POOL": "0",  # pooled sessions of worker threads would block dropping the test database
        "AUTH_TOKEN": AUTH_TOKEN,
        "SECRET_KEY": "only-for-tests-and-never-for-anything-else-at-all",
    }


def pass_signals_on() -> None:
    """A shell ignores SIGINT for what it starts in the background, and nohup SIGHUP; processes that tests start and
    signal would ignore them as well. A handler that does nothing is as good for us, and is not inherited."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def forget_the_developers_settings() -> None:
    """What happens to be set in the shell or in `.env` must not decide whether a test passes."""
    os.environ["ENV_FILE"] = "none"
    for name in list(os.environ):
        if name in OWN_SETTINGS or name.startswith(OWN_PREFIXES):
            del os.environ[name]


def temporary_data_dir() -> Path:
    """A folder that is gone when the run ends, its sockets too."""
    data_dir = Path(tempfile.mkdtemp(prefix="vectorpress-test-"))
    data_dir.chmod(0o711)  # as root, Postgres runs as another user, who must get in
    for folder in (data_dir, paths.socket_dir(data_dir)):
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return data_dir


def started_postgres(data_dir: Path) -> str:
    """The address of a running Postgres that forgets everything in a power cut, and is fast for it.

    Its role is the product's, so that what secretly needs a superuser fails. It may make databases besides, and lose
    or win a deadlock as a test wants.
    """
    server = PostgresServer(data_dir / "postgres", paths.socket_dir(data_dir), FAST_AND_FORGETFUL)
    atexit.register(server.stop)
    server.start()
    with psycopg.connect(server.maintenance_url, autocommit=True) as session:
        session.execute(f"ALTER ROLE {paths.DATABASE_USER} CREATEDB".encode())
        session.execute(f"GRANT SET ON PARAMETER deadlock_timeout TO {paths.DATABASE_USER}".encode())
    os.environ[MAINTENANCE_VARIABLE] = server.maintenance_url
    return server.url


def started_valkey(data_dir: Path) -> str:
    """The address of a running Valkey that keeps nothing on disk."""
    server = ValkeyServer(data_dir / "valkey", paths.socket_dir(data_dir), append_only=False)
    atexit.register(server.stop)
    server.start()
    return server.url
