"""`manage.py reindex`: embeds articles anew, or builds the approximate index anew."""

from queueops.cli.verbs import reindex
from queueops.management.commands import queue_admin


class Command(queue_admin.OneVerb):
    help = (
        "Embeds all articles anew, or those that a filter names, although their text has vectors; these answer "
        "searches meanwhile. With --index-only it builds the approximate index anew instead."
    )
    families = (reindex.family,)
