"""The program that watches a running stack: small, and plain where it cannot; test_handover.py has what it does."""

import subprocess
import sys

import pytest

from tests.paths import ROOT

pytestmark = pytest.mark.process


def test_the_other_program_imports_no_django_and_no_driver() -> None:
    program = "import sys, config.stack.watch; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"django", "environ", "psycopg", "redis", "asyncio"} & set(ran.stdout.split())


def test_without_the_file_of_the_first_program_it_ends_with_a_sentence() -> None:
    words = [sys.executable, "-m", "config.stack.watch", "runstack", "99"]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (2, "")
    assert "stack    │ stopped: [Errno 9] Bad file descriptor" in ran.stdout
