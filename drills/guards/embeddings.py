"""Guards of what a provider returns, and the vectors that are stored."""

from drills.guards.mutation import Mutation

_HOLDING = "tests/queueops/engine/test_settle_retry.py"
_IN_PARTS = "tests/queueops/engine/test_settling_in_parts.py"
_OUTAGE = "tests/queueops/admission/test_outage.py"

MUTATIONS = (
    Mutation(
        "storage: COPY raises Django's errors",
        "embeddings/storage/vectors.py",
        "with connection.wrap_database_errors, cursor.copy(_COPY) as copy:",
        "with cursor.copy(_COPY) as copy:",
        (_HOLDING, "tests/embeddings/storage/test_vectors.py"),
    ),
    Mutation(
        "storage: the row that asks is taken back",
        "embeddings/storage/vectors.py",
        "        transaction.set_rollback(True)\n",
        "",
        (_IN_PARTS, "tests/embeddings/storage/test_vectors.py"),
    ),
    Mutation(
        "reply: as many vectors as texts",
        "embeddings/providers/replies.py",
        "or len(items) != count:",
        "or False:",
        ("tests/embeddings/providers/test_replies.py",),
    ),
    Mutation(
        "reply: each index once",
        "embeddings/providers/replies.py",
        " or found[index] is not None:",
        ":",
        ("tests/embeddings/providers/test_replies.py",),
    ),
    Mutation(
        "reply: finite numbers",
        "embeddings/providers/replies.py",
        "if not np.isfinite(matrix).all():",
        "if False:",
        ("tests/embeddings/providers/test_replies.py",),
    ),
    Mutation(
        "request: what was refused is not sent again",
        "embeddings/indexing/isolation.py",
        "            self.refused[request] = error\n",
        "",
        ("tests/queueops/engine/test_too_long.py",),
    ),
    Mutation(
        "turn: each has one request",
        "embeddings/indexing/provider_session.py",
        "if self.requests and not self._between(made)",
        "if not self._between(made)",
        (_OUTAGE,),
    ),
    Mutation(
        "search: the index looks at as many candidates as wanted",
        "embeddings/search/plans.py",
        "return min(max(EF_SEARCH, chunks), _EF_SEARCH_MOST)",
        "return 40",
        ("tests/embeddings/search/test_plans.py",),
    ),
    Mutation(
        "search: deleted vectors hide no article",
        "embeddings/search/semantic.py",
        "if first is Plan.INDEX and is_short:",
        "if False:",
        ("tests/embeddings/search/test_plans.py",),
    ),
    Mutation(
        "search: a filter that keeps too many is not searched by the few first",
        "embeddings/search/semantic.py",
        "if first is Plan.OF_KEPT and kept > plans.EXACT_FILTER_MOST:",
        "if False:",
        ("tests/embeddings/search/test_semantic.py",),
    ),
    Mutation(
        "search: one version of each article is read",
        "embeddings/search/plans.py",
        "v.article_id = nearest.article_id AND v.version_number = nearest.source_version\n",
        "v.article_id = nearest.article_id\n",
        ("tests/embeddings/search/test_plans.py", "tests/embeddings/search/test_semantic.py"),
    ),
    Mutation(
        "keyword search: of common words only matches of the rarest are read",
        "embeddings/search/keyword.py",
        "        if found and matches > MATCHES_MOST:",
        "        if False and matches > MATCHES_MOST:",
        ("tests/embeddings/search/test_keyword.py",),
    ),
    Mutation(
        "local embedder: bulk gives way to a search that runs",
        "embeddings/servers/local_embedder/priority_pool.py",
        " and self._running < self._places",
        "",
        ("tests/embeddings/servers/local_embedder/test_priority_pool.py",),
    ),
)
