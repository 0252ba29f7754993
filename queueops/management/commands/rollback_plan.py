"""`manage.py rollback_plan`: writes down the ways back for this installation."""

from queueops.desk import rolling_back
from queueops.management.commands import queue_admin


class Command(queue_admin.OneVerb):
    help = "Writes the ways back for this installation to standard output, as Markdown."
    families = (rolling_back.planning,)
