"""`manage.py embed_check`: checks this installation, e.g. as a deploy gate."""

from queueops.cli.verbs import checks
from queueops.management.commands import queue_admin


class Command(queue_admin.Command):
    help = (
        "Checks this installation. Exits with 0 if nothing fails, 2 if a check fails or cannot run; with --strict, 1 "
        "if there are only warnings. invariants: 0 if all hold, 1 if one is broken."
    )
    families = (checks.family,)
    needs_queue = False
