"""`manage.py rollback_plan`: writes down the ways back for this installation."""

from queueops.cli.verbs import rollback
from queueops.management.commands import queue_admin


class Command(queue_admin.OneVerb):
    help = "Writes the ways back for this installation to standard output, as Markdown."
    families = (rollback.planning,)
