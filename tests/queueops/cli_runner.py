"""The operator's commands as the tests call them: in this process, with what it printed and how it ended."""

import io
import json
from dataclasses import dataclass
from typing import Any

from django.core.management import CommandError, call_command


@dataclass(frozen=True)
class Called:
    """`code` as the shell would see it; `sentence` is the one of an error."""

    code: int
    out: str
    sentence: str = ""

    @property
    def json(self) -> Any:
        """The object of the last line."""
        return json.loads(self.out.splitlines()[-1])


def queue_admin(*words: str, out: io.StringIO | None = None) -> Called:
    """Runs one verb; errors become their exit code and sentence."""
    return called("queue_admin", *words, out=out)


def embed_migrate(*words: str, out: io.StringIO | None = None) -> Called:
    """The same for the command that brings a corpus into the queue."""
    return called("embed_migrate", *words, out=out)


def called(command: str, *words: str, out: io.StringIO | None = None) -> Called:
    """Runs a command; errors become their exit code and sentence."""
    out = out or io.StringIO()
    try:
        call_command(command, *words, stdout=out)
    except SystemExit as ended:
        return Called(int(str(ended.code)), out.getvalue())
    except CommandError as error:
        return Called(error.returncode, out.getvalue(), str(error))
    return Called(0, out.getvalue())


class Terminal(io.StringIO):
    """A stream that says a person sits there."""

    def isatty(self) -> bool:
        return True
