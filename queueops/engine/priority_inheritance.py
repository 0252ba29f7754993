"""A task that gives way to a newer one of its article leaves it its rank: an edit does not fall behind a backfill."""

from collections.abc import Sequence

from django.db import connection

from lib import sql_arrays

_INHERIT = """
UPDATE embedding_tasks heir SET priority = own.priority
FROM embedding_tasks own
WHERE own.id = ANY(%s::bigint[]) AND heir.article_id = own.article_id AND heir.space_id = own.space_id
  AND heir.status = 'pending' AND heir.priority_rank > own.priority_rank
"""


def inherit_rank(task_ids: Sequence[int]) -> None:
    """Raises the waiting tasks of the articles of these, which have just ended as superseded, to their rank."""
    if task_ids:
        with connection.cursor() as cursor:
            cursor.execute(_INHERIT, [sql_arrays.of_integers(task_ids)])
