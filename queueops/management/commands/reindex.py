"""`manage.py reindex`: embeds articles again, or rebuilds the approximate index."""

from queueops.cli.verbs import reindex
from queueops.management.commands import queue_admin


class Command(queue_admin.OneVerb):
    help = (
        "Embeds all articles again, or those that match a filter, although their text has vectors; searches use the "
        "old vectors meanwhile. With --index-only it rebuilds the approximate index instead."
    )
    families = (reindex.family,)
