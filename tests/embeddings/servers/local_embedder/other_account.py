"""Runs a few lines of Python as another account of this machine, which only root may."""

import os
import subprocess
import sys

import pytest

from tests.paths import ROOT

UID = 65_534
_IMPORTS = "import os, socket, sys"
_BECOME = f"os.setgroups([]); os.setgid({UID}); os.setuid({UID})\n"

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


def start(lines: str, *words: str, first: str = "") -> subprocess.Popen[str]:
    """Starts `lines` as the other account, after `first` as ourselves; `words` are its sys.argv[1:].

    What is imported, is so as ourselves: the other account may not be able to read our Python."""
    command = [sys.executable, "-c", f"{_IMPORTS}\n{first}\n{_BECOME}{lines}", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(lines: str, *words: str, first: str = "") -> str:
    """What `lines` print as the other account."""
    with start(lines, *words, first=first) as process:
        said, _ = process.communicate(timeout=30)
    return said.strip()
