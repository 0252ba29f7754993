"""`manage.py rollback_drill`: walks the ways back on a scratch database, and says of each whether it leads back."""

from queueops.cli.verbs import rollback
from queueops.management.commands import queue_admin


class Command(queue_admin.OneVerb):
    help = (
        "Walks the ways back on a scratch database beside this one, which is dropped at the end. Exits with 0 when "
        "every step passed or was left out with a reason, 2 when one failed."
    )
    families = (rollback.drilling,)
    needs_queue = False
