"""Guards of a database that refuses or is locked, and vectors that are kept until their article is complete."""

from drills.guards.mutation import Mutation

_HOLDING = "tests/queueops/engine/test_settle_retry.py"
_IN_PARTS = "tests/queueops/engine/test_settling_in_parts.py"
_LOCKED_TABLES = "tests/queueops/engine/test_table_lock_pause.py"
_LONG = "tests/queueops/engine/test_partial_vectors.py"

MUTATIONS = (
    Mutation(
        "storage: a refused batch is held",
        "queueops/engine/settle_retry.py",
        "    return storage_probe.await_turn(until)",
        "    return False",
        (_HOLDING,),
    ),
    Mutation(
        "storage: a held batch ends in time",
        "queueops/engine/storage_breaker.py",
        "            if left <= 0 or not rest(min(wait, left, _LOOK_SECONDS)):",
        "            if not rest(min(wait, _LOOK_SECONDS)):",
        ("tests/queueops/engine/test_storage_breaker.py",),
    ),
    Mutation(
        "storage: what cannot be given back is owed",
        "queueops/engine/settle_retry.py",
        "        owed.add(_without_texts(claim), refusal)\n",
        "",
        (_HOLDING,),
    ),
    Mutation(
        "storage: a row is asked for before work is claimed",
        "queueops/engine/storage_probe.py",
        "    if refusal := refusal_of_a_row(space):\n        refused(refusal)",
        "    if False and (refusal := refusal_of_a_row(space)):\n        refused(refusal)",
        (_HOLDING,),
    ),
    Mutation(
        "storage: one caller has the turn",
        "queueops/engine/storage_breaker.py",
        "            self._retry_at = now + _interval(self._turns)\n            return 0.0",
        "            return 0.0",
        ("tests/queueops/engine/test_storage_breaker.py",),
    ),
    Mutation(
        "storage: one text's rows are distinguished from all rows",
        "queueops/engine/settling_in_parts.py",
        "(blame is Blame.ROWS and _takes_no_row(batch))",
        "blame is Blame.ROWS",
        (_IN_PARTS,),
    ),
    Mutation(
        "storage: a database that refuses all is no text's fault",
        "queueops/engine/settling_in_parts.py",
        "(blame is Blame.ROWS and _takes_no_row(batch))",
        "False",
        (_IN_PARTS,),
    ),
    Mutation(
        "storage: many texts that are all refused are not at fault",
        "queueops/engine/settling_in_parts.py",
        "len(refused) == len(batch.results) >= _MANY_REFUSED or _takes_no_row(batch)",
        "_takes_no_row(batch)",
        (_IN_PARTS,),
    ),
    Mutation(
        "storage: what is at fault is refused twice",
        "queueops/engine/settling_in_parts.py",
        "        if search.refused:\n            settled, search = _settle_again(batch, settled, search)\n",
        "",
        (_IN_PARTS,),
    ),
    Mutation(
        "storage: what is at fault is refused while others are taken",
        "queueops/engine/settling_in_parts.py",
        "len(refused) == len(batch.results) >= _MANY_REFUSED or _takes_no_row(batch)",
        "len(refused) == len(batch.results) >= _MANY_REFUSED",
        (_IN_PARTS,),
    ),
    Mutation(
        "storage: what was paid for is kept",
        "queueops/engine/settle_retry.py",
        "            unsaved.keep(batch.claim.space.pk, batch.by_hash)\n",
        "",
        (_HOLDING,),
    ),
    Mutation(
        "kept vectors: the claim's token",
        "queueops/engine/partial_vectors.py",
        "WHERE t.claim_token = %s AND t.status = 'processing'",
        "WHERE (t.claim_token = %s OR true) AND t.status = 'processing'",
        (_LONG,),
    ),
    Mutation(
        "kept vectors: none are paid for while they are refused",
        "queueops/engine/partial_vectors.py",
        "if storage_probe.brake.is_on or self.refused:",
        "if self.refused:",
        (_LONG,),
    ),
    Mutation(
        "kept vectors: in the midst of a batch",
        "queueops/engine/partial_vectors.py",
        "            self.keep(made)\n",
        "            pass\n",
        (_LONG,),
    ),
    Mutation(
        "kept vectors: what waits needs them",
        "queueops/engine/partial_vectors.py",
        "AND t.status IN ('pending', 'processing'))",
        "AND t.status = 'processing')",
        (_LONG,),
    ),
    Mutation(
        "turn: it ends",
        "queueops/engine/partial_vectors.py",
        "return now < self._ends and not shutdown.is_requested()",
        "return True",
        (_LONG,),
    ),
    Mutation(
        "locks: vectors are kept for a while",
        "queueops/engine/storage_probe.py",
        "    while locked_out.is_lasting():\n        if time.monotonic() >= until or",
        "    while locked_out.is_lasting():\n        if True or",
        (_LOCKED_TABLES,),
    ),
    Mutation(
        "locks: a batch of a request does not wait",
        "queueops/engine/settling_in_parts.py",
        "if blame is Blame.LOCK and (not waits or (",
        "if blame is Blame.LOCK and ((",
        (_LOCKED_TABLES,),
    ),
)
