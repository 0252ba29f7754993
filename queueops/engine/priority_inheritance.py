"""Priority inheritance: a superseded task passes its priority on to the newer task of its article, so that an edit
does not wait behind a backfill."""

from collections.abc import Sequence

from django.db import connection

from lib import sql_arrays

_INHERIT = """
UPDATE embedding_tasks successor SET priority = own.priority
FROM embedding_tasks own
WHERE own.id = ANY(%s::bigint[]) AND successor.article_id = own.article_id AND successor.space_id = own.space_id
  AND successor.status = 'pending' AND successor.priority_rank > own.priority_rank
"""


def inherit_rank(task_ids: Sequence[int]) -> None:
    """Raises the pending tasks of the same articles to the priority of these tasks, which just ended as superseded."""
    if task_ids:
        with connection.cursor() as cursor:
            cursor.execute(_INHERIT, [sql_arrays.of_integers(task_ids)])
