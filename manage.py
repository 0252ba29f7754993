#!/usr/bin/env python
"""Runs Vectorpress' commands: `./dev manage help` lists them."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

from queueops import unreachable

# as queueops/desk/exits.py has them for every command; 1 would say "degraded" or "only warnings"
_TROUBLE, _INTERRUPTED = 2, 130


def main() -> int:
    """Runs the command that the words of the command line name; answers the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return _TROUBLE
    except OperationalError as error:
        sys.stderr.write(f"{unreachable.sentence(error)}\n")
        return _TROUBLE
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return _INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
