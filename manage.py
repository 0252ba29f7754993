#!/usr/bin/env python
"""Runs Vectorpress' commands: `./dev manage help` lists them."""

import os
import signal
import sys
from typing import Any

# as queueops/cli/frame/exit_codes.py has them for every command; 1 would say "degraded" or "only warnings"
_TROUBLE, _INTERRUPTED = 2, 130


def _stop(*_: Any) -> None:
    os.write(2, b"stopped\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _stop)  # reading modules takes a while, and leaves nothing to tidy

from django.core.exceptions import ImproperlyConfigured  # noqa: E402  only then is an interrupt no traceback
from django.core.management import execute_from_command_line  # noqa: E402
from django.db import DatabaseError, InterfaceError  # noqa: E402

from queueops.base import database_away  # noqa: E402


def main() -> int:
    """Runs the command that the words of the command line name; answers the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return _TROUBLE
    except (DatabaseError, InterfaceError) as error:
        if "--traceback" in sys.argv:
            raise
        sys.stderr.write(f"{database_away.sentence(error)}\n")
        return _TROUBLE
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return _INTERRUPTED
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
