"""The statements that claim tasks, as the server gets them.

Every fragment in braces is our own SQL and named below; values travel as parameters:

space, token, worker, claimed_by, lease    whose claim it is, and for how long
size                                       how many tasks at most
aged_after, aged_slots                     how long a task waits until it is taken out of its turn, and how many are
with_low                                   whether the lowest rank may be taken
lost_together                              how many lost tasks at most
with_trial                                 whether tasks on trial may be taken
longest, most_bytes                        bytes of text of one article, and of all together; NULL for any
"""

from queueops.engine.worker_loss import IS_ON_TRIAL, WAS_LOST
from queueops.models.worker import BRAKES_ALL_SQL

# What the loss of a task says of the next attempt, in rising danger. A claim takes tasks of one kind only, the most
# dangerous first: `size` of the first kind, `lost_together` of the second, one of the third.
FRESH, LOST, LAST_ATTEMPT = 0, 1, 2

# One text may have ended its worker, or the provider, and all that these held were lost with it. So what was lost is
# tried with few others. What was lost with its worker again is on trial and passed over here: it is claimed with
# nothing beside it (CLAIM_ON_TRIAL). What was lost with its provider is alone at its last attempt, one such task for
# all workers, since spaces share a provider.
_DANGER = f"""CASE WHEN NOT {WAS_LOST} THEN {FRESH}
                     WHEN error_class = 'worker_lost' OR attempts + 1 < max_attempts THEN {LOST}
                     ELSE {LAST_ATTEMPT} END"""
_IS_DUE = "status = 'pending' AND space_id = %(space)s AND scheduled_at <= statement_timestamp()"
# Of a provider that takes its time, a thread that leaves long articles to others passes over them.
_FITS = """(%(longest)s::bigint IS NULL OR %(longest)s >= (
          SELECT octet_length(a.content) FROM articles a WHERE a.id = embedding_tasks.article_id))"""
_BYTES = """CASE WHEN %(most_bytes)s::bigint IS NOT NULL THEN (
                   SELECT octet_length(a.content) FROM articles a WHERE a.id = candidates.article_id) END"""
_MAY_BE_TAKEN = f"(%(with_trial)s OR NOT ({IS_ON_TRIAL})) AND {_FITS}"

# The brakes are part of the statement, so that plain SQL stops a worker even when nothing else reaches it.
_BRAKES = f"""brakes AS MATERIALIZED (
    SELECT NOT EXISTS (SELECT 1 FROM queue_state WHERE is_paused)
       AND EXISTS (SELECT 1 FROM embedding_worker_status WHERE id = %(worker)s AND is_running)
       AND NOT EXISTS (SELECT 1 FROM embedding_worker_status WHERE {BRAKES_ALL_SQL}) AS are_off
)"""  # noqa: S608  the only text put in is our own

# The statement may have waited for a locked table: its lease begins when it takes, not when it was sent.
_TAKE_THE_DUE = f"""
UPDATE embedding_tasks t SET
    status = 'processing', attempts = t.attempts + 1, outcome = '', is_alone = false,
    processed_at = statement_timestamp(), completed_at = NULL,
    lease_expires_at = clock_timestamp() + %(lease)s, claim_token = %(token)s, claimed_by = %(claimed_by)s,
    source_version = a.version_number, content_hash = a.content_hash
FROM due, articles a
WHERE t.id = due.id AND a.id = t.article_id
RETURNING t.id, t.attempts, t.max_attempts, t.metadata ? 'reembed', t.metadata ? 'cut', t.{WAS_LOST},
          a.id, a.version_number, a.content_hash, a.title, a.content
"""  # noqa: S608  the only text put in is our own

# Each rank is a bounded walk of its own stretch of the index, and takes what the ranks before it left: a rank whose
# tasks all wait for a later retry costs nothing. The LIMIT of `due` tells the planner how few there are.
CLAIM_DUE = f"""
WITH {_BRAKES},
aged AS (
    SELECT id, article_id, priority_rank AS rank, {_DANGER} AS danger FROM embedding_tasks
    WHERE (SELECT are_off FROM brakes)
      AND status = 'pending' AND space_id = %(space)s AND scheduled_at <= statement_timestamp() - %(aged_after)s
      AND {_MAY_BE_TAKEN}
    ORDER BY scheduled_at
    LIMIT %(aged_slots)s
    FOR UPDATE SKIP LOCKED
),
high AS (
    SELECT id, article_id, priority_rank AS rank, {_DANGER} AS danger FROM embedding_tasks
    WHERE (SELECT are_off FROM brakes) AND priority_rank = 1 AND {_IS_DUE} AND {_MAY_BE_TAKEN}
    ORDER BY scheduled_at, id
    LIMIT %(size)s - (SELECT count(*) FROM aged)
    FOR UPDATE SKIP LOCKED
),
normal AS (
    SELECT id, article_id, priority_rank AS rank, {_DANGER} AS danger FROM embedding_tasks
    WHERE (SELECT are_off FROM brakes) AND priority_rank = 2 AND {_IS_DUE} AND {_MAY_BE_TAKEN}
    ORDER BY scheduled_at, id
    LIMIT %(size)s - (SELECT count(*) FROM aged) - (SELECT count(*) FROM high)
    FOR UPDATE SKIP LOCKED
),
low AS (
    SELECT id, article_id, priority_rank AS rank, {_DANGER} AS danger FROM embedding_tasks
    WHERE (SELECT are_off FROM brakes) AND %(with_low)s AND priority_rank = 3 AND {_IS_DUE} AND {_MAY_BE_TAKEN}
    ORDER BY scheduled_at, id
    LIMIT %(size)s - (SELECT count(*) FROM aged) - (SELECT count(*) FROM high) - (SELECT count(*) FROM normal)
    FOR UPDATE SKIP LOCKED
),
last_attempt AS (
    SELECT EXISTS (SELECT 1 FROM embedding_tasks WHERE status = 'processing' AND attempts >= max_attempts
                   AND error_class = 'provider_lost') AS is_held
),
candidates AS (
    SELECT id, article_id, rank, danger FROM (
        SELECT * FROM aged UNION SELECT * FROM high UNION SELECT * FROM normal UNION SELECT * FROM low
    ) AS found
    WHERE danger < {LAST_ATTEMPT} OR NOT (SELECT is_held FROM last_attempt)
),
most_dangerous AS (
    SELECT id, rank, danger, {_BYTES} AS bytes FROM candidates
    WHERE danger = (SELECT max(danger) FROM candidates)
),
in_line AS (
    SELECT id, danger, row_number() OVER line AS place, sum(bytes) OVER line AS bytes_so_far FROM most_dangerous
    WINDOW line AS (ORDER BY rank, bytes DESC, id)
),
due AS (
    SELECT id FROM in_line
    WHERE place <= CASE danger WHEN {FRESH} THEN %(size)s WHEN {LOST} THEN %(lost_together)s ELSE 1 END
      AND (place = 1 OR %(most_bytes)s::bigint IS NULL OR bytes_so_far <= %(most_bytes)s)
    LIMIT %(size)s
)
{_TAKE_THE_DUE}"""  # noqa: S608  the only text put in is our own

CLAIM_OF_ARTICLES = f"""
WITH due AS (
    SELECT id FROM embedding_tasks
    WHERE status = 'pending' AND space_id = %(space)s AND article_id = ANY(%(articles)s)
    FOR UPDATE SKIP LOCKED
)
{_TAKE_THE_DUE}"""  # noqa: S608  the only text put in is our own

# One process at a time, and those first that were lost most often: two trials at once could blame each other's text.
CLAIM_ON_TRIAL = f"""
WITH {_BRAKES},
due AS (
    SELECT id FROM embedding_tasks
    WHERE (SELECT are_off FROM brakes)
      AND status = 'pending' AND space_id = %(space)s AND losses > 0 AND {IS_ON_TRIAL}
      AND scheduled_at <= statement_timestamp() AND (%(with_low)s OR priority_rank < 3)
      AND NOT EXISTS (SELECT FROM embedding_tasks WHERE status = 'processing' AND {IS_ON_TRIAL})
    ORDER BY losses DESC, id
    LIMIT %(size)s
    FOR UPDATE SKIP LOCKED
)
{_TAKE_THE_DUE}"""  # noqa: S608  the only text put in is our own
IS_TRIAL_DUE = f"""
SELECT EXISTS (SELECT FROM embedding_tasks
               WHERE status = 'pending' AND space_id = %s AND losses > 0 AND {IS_ON_TRIAL}
                 AND scheduled_at <= statement_timestamp())
"""  # noqa: S608

MARK_ALONE = """
UPDATE embedding_tasks t SET is_alone = true
WHERE t.claim_token = %s AND t.status = 'processing'
  AND NOT EXISTS (SELECT FROM embedding_tasks o
                  WHERE o.status = 'processing' AND o.claimed_by = t.claimed_by AND o.id <> t.id)
"""

# What a claim took whose reply was lost: the rows that _TAKE_THE_DUE returned.
TAKEN = f"""
SELECT t.id, t.attempts, t.max_attempts, t.metadata ? 'reembed', t.metadata ? 'cut', t.{WAS_LOST},
       a.id, a.version_number, a.content_hash, a.title, a.content
FROM embedding_tasks t JOIN articles a ON a.id = t.article_id
WHERE t.status = 'processing' AND t.claim_token = %(token)s
"""  # noqa: S608  the only text put in is our own
