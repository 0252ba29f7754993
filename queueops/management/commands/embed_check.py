"""`manage.py embed_check`: says whether this installation is as it should be, fit for a deploy gate."""

from queueops.cli.verbs import checks
from queueops.management.commands import queue_admin


class Command(queue_admin.Command):
    help = (
        "Checks this installation. Exits with 0 when nothing fails, 2 when something does or cannot be asked; with "
        "--strict 1 when there are only warnings. invariants: 0 when all hold, 1 when one is broken."
    )
    families = (checks.family,)
    needs_queue = False
