#!/usr/bin/env python
"""Runs Vectorpress' commands: `./dev manage help` lists them."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"cannot start: {error}")
    except OperationalError as error:
        said = str(error).strip().partition("\n")[0]
        sys.exit(f"the database does not answer ({said}): start it with ./dev up, or set DATABASE_URL")
