"""The environment wins over the file, and each value says where it comes from."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from config import env, env_source
from tests.paths import ROOT
from tests.starting import start


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Writes the file of settings of this test."""

    def write(text: str) -> None:
        path = tmp_path / ".env"
        path.write_text(text)
        path.chmod(0o600)
        monkeypatch.setenv("ENV_FILE", str(path))
        env_source.file.cache_clear()

    yield write
    monkeypatch.undo()
    env_source.file.cache_clear()


@pytest.mark.parametrize(
    ("environment", "file", "value", "origin", "is_set"),
    [
        (None, None, 3, "default", False),
        (None, "5", 5, ".env", True),
        ("4", None, 4, "environment", True),
        ("4", "5", 4, "environment, which wins over .env", True),
        ("", "5", 3, "default; it is empty in the environment, which wins over .env", False),
        ("", None, 3, "default", False),
        (None, "", 3, "default", False),
    ],
)
def test_the_environment_wins_over_the_file(
    written: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    environment: str | None,
    file: str | None,
    value: int,
    origin: str,
    is_set: bool,
) -> None:
    written("" if file is None else f"OF_A_TEST={file}\n")
    monkeypatch.delenv("OF_A_TEST", raising=False)
    if environment is not None:
        monkeypatch.setenv("OF_A_TEST", environment)
    assert env.integer("OF_A_TEST", 3, 1, 9) == value
    assert env.readings()["OF_A_TEST"] == (str(value), origin, is_set)


def test_a_process_we_start_gets_what_was_read_and_no_more_and_reads_no_file(
    written: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    written("OF_A_TEST=5\nLD_PRELOAD=/tmp/evil.so\nALSO_OF_A_TEST=1\n")
    monkeypatch.setenv("ALSO_OF_A_TEST", "2")
    env.text("OF_A_TEST")
    env.text("ALSO_OF_A_TEST")
    assert env_source.for_children() == {"OF_A_TEST": "5", "ENV_FILE": "none"}
    assert "OF_A_TEST" not in os.environ


def test_a_folder_in_the_file_is_of_the_files_folder(
    written: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OF_A_TEST", raising=False)
    written("OF_A_TEST=data\n")
    assert env.path("OF_A_TEST", "/elsewhere") == tmp_path / "data"
    monkeypatch.setenv("OF_A_TEST", "data")
    assert str(env.path("OF_A_TEST", "/elsewhere")) == "data"


def test_a_bad_value_names_the_file(written: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OF_A_TEST", raising=False)
    written("OF_A_TEST=many\n")
    with pytest.raises(Exception, match=r"OF_A_TEST in /\S+/\.env holds 'many'; it may hold a whole number"):
        env.integer("OF_A_TEST", 3, 1, 9)


def test_these_tests_read_no_file() -> None:
    assert settings.ENV_FILE.path == ""
    assert not [name for name, reading in settings.ENVIRONMENT.items() if ".env" in reading.origin]


# The command lines of the documents, word for word; $(date …) only names the copy.
LINES = """
echo "EMBEDDING_QUEUE_ENABLED=true" > .env
echo "EMBEDDING_WORKER_INTERVAL=1000" >> .env
echo "EMBEDDING_BATCH_SIZE=5           # Process multiple tasks" >> .env
echo "EMBEDDING_MAX_RETRIES=5" >> .env
cp .env .env.backup.$(date +%Y%m%d-%H%M%S)
cp .env .env.backup.20241214-120000
echo "EMBEDDING_QUEUE_ENABLED=false" >> .env
"""
REMOVED = """
sed -i '/EMBEDDING_QUEUE/d' .env
sed -i '/EMBEDDING_WORKER/d' .env
sed -i '/EMBEDDING_MAX_RETRIES/d' .env
sed -i '/EMBEDDING_BATCH_SIZE/d' .env
echo "SEMANTIC_SEARCH_ENABLED=false" >> .env
"""
RESTORED = "cp .env.backup.20241214-120000 .env"
PATCHED = """cat > .env.patch << EOF
EMBEDDING_WORKER_INTERVAL=5000
EMBEDDING_MAX_RETRIES=3
EMBEDDING_BATCH_SIZE=1
EOF
cat .env.patch >> .env
"""


@pytest.mark.process
def test_the_lines_of_the_documents_change_the_settings(tmp_path: Path) -> None:
    def shown_after(lines: str) -> str:
        subprocess.run(["sh", "-ec", lines], cwd=tmp_path, check=True)
        (tmp_path / ".env").chmod(0o600)
        done = start(
            "embed_check", "config", ENV_FILE=str(tmp_path / ".env"), DATA_DIR=str(tmp_path / "data")
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    shown = shown_after(LINES)
    assert "EMBEDDING_QUEUE_ENABLED: false (.env)" in shown
    assert "EMBEDDING_BATCH_SIZE: 5 (.env)" in shown
    shown = shown_after(REMOVED)
    assert "EMBEDDING_QUEUE_ENABLED: true (default)" in shown
    assert "EMBEDDING_MAX_RETRIES: 3 (default)" in shown
    assert "SEMANTIC_SEARCH_ENABLED: false (.env)" in shown
    assert "EMBEDDING_WORKER_INTERVAL: 1000 (.env)" in shown_after(RESTORED)
    shown = shown_after(PATCHED)
    assert "EMBEDDING_WORKER_INTERVAL: 5000 (.env)" in shown
    assert "EMBEDDING_BATCH_SIZE: 1 (.env)" in shown


@pytest.mark.process
def test_a_file_that_cannot_be_used_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY: s3cret\n")
    done = start("embed_check", "config", ENV_FILE=str(tmp_path / ".env"), DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"cannot start: {tmp_path / '.env'}, line 1, cannot be read; it may hold NAME=VALUE"
    )
    assert done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("kind", ["benchmarks/tools/stack.py", "drills/attack/target.py", "tests/servers.py"])
def test_what_measures_or_attacks_reads_no_file_either(kind: str) -> None:
    assert '"ENV_FILE"' in (ROOT / kind).read_text()
