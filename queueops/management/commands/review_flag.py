"""`manage.py review_flag`: marks the articles of a window of time for review, or restores their former text."""

from queueops.cli.verbs import review
from queueops.management.commands import queue_admin


class Command(queue_admin.OneVerb):
    help = (
        "Marks the articles that were worked on or changed in a window of time with needs_review in their metadata, or "
        "restores their text from before it. Exits with 1 when some had no earlier text or were changed since."
    )
    families = (review.family,)
