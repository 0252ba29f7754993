"""`manage.py review_flag`: marks the articles of a time window for review, or restores their earlier text."""

from queueops.cli.verbs import review
from queueops.management.commands import queue_admin


class Command(queue_admin.OneVerb):
    help = (
        "Marks the articles that were processed or changed in a time window with needs_review in their metadata, or "
        "restores their text from before it. Exits with 1 if some have no earlier text or were changed since."
    )
    families = (review.family,)
