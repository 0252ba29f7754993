"""`manage.py spaces`: changes the embedding model while people search."""

from queueops.cli.verbs import spaces
from queueops.management.commands import queue_admin


class Command(queue_admin.Command):
    help = (
        "Changes the embedding model while people search: a new space beside the serving one, cut-over, rollback, "
        "retirement. docs/checks.md lists each verb's options and JSON keys."
    )
    families = (spaces.family,)
