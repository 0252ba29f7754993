"""`manage.py rollback_drill`: runs every rollback on a scratch database and reports which work."""

from queueops.cli.verbs import rollback
from queueops.management.commands import queue_admin


class Command(queue_admin.OneVerb):
    help = (
        "Runs every rollback on a scratch database beside this one, which is dropped at the end. Exits with 0 if "
        "every step passed or was skipped with a reason, 2 if one failed."
    )
    families = (rollback.drilling,)
    needs_queue = False
