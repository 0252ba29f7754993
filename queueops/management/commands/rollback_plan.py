"""`manage.py rollback_plan`: writes the rollback plan of this installation."""

from queueops.cli.verbs import rollback
from queueops.management.commands import queue_admin


class Command(queue_admin.OneVerb):
    help = "Writes the rollback plan of this installation to standard output, as Markdown."
    families = (rollback.planning,)
