"""A start that fails is one sentence and exit code 2."""

import errno
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from config.management.commands import runstack
from config.stack.processes import StackError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/x"),
            "the start failed: /data/x: Permission denied",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "the start failed: Too many open files"),
        (TimeoutError(), "the start failed: TimeoutError"),
    ],
)
def test_an_unexpected_error_names_the_file_and_the_cause(error: OSError, sentence: str) -> None:
    assert runstack._sentence(error) == sentence


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_with_the_folder_and_a_way_out(
    number: int, settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    sentence = runstack._sentence(OSError(number, "No space left on device", "/somewhere"))
    assert sentence.startswith(f"no room on the disk of {tmp_path} (")
    assert sentence.endswith("or set DATA_DIR to a folder with room")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StackError("port 8000 is taken"), "port 8000 is taken"),
        (TimeoutError(), "the start failed: TimeoutError"),
    ],
)
def test_a_start_that_fails_exits_with_2(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def fail(*, first_import: bool) -> None:
        assert not first_import
        raise error

    monkeypatch.chdir(settings.BASE_DIR)
    monkeypatch.setattr(runstack, "up", fail)
    with pytest.raises(CommandError) as failed:
        call_command("runstack", "--no-import")
    assert (str(failed.value), failed.value.returncode) == (sentence, 2)
