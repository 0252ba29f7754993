"""Guards of the constraints, triggers and indexes of the migrations."""

from drills.guards.mutation import Mutation

_ARTICLES_BY_HAND = "articles/migrations/0004_by_hand.py"
_CLOCKS = "tests/queueops/maintenance/test_clock_repair.py"
_GUARDS = "tests/queueops/engine/test_guards.py"
_INVARIANTS = "tests/queueops/monitoring/test_invariants.py"
_TOLD = "queueops/migrations/0011_told_by_hand.py"
_FIRST_TABLES = "queueops/migrations/0001_initial.py"

MUTATIONS = (
    Mutation(
        "trigger: a schedule says when it was written",
        "queueops/migrations/0014_clocks.py",
        "WHEN (NEW.scheduled_at <> OLD.scheduled_at)",
        "WHEN (false)",
        (_CLOCKS,),
    ),
    Mutation(
        "articles: an overwritten text has its version",
        _ARTICLES_BY_HAND,
        "BEFORE UPDATE OF title, content ON articles",
        "BEFORE UPDATE OF slug ON articles",
        ("tests/articles/test_by_hand.py",),
    ),
    Mutation(
        "articles: an inserted text has its version",
        _ARTICLES_BY_HAND,
        "true) = NEW.id::text)",
        "true) = 'never')",
        ("tests/articles/test_by_hand.py",),
    ),
    Mutation(
        "index: one pending task",
        _FIRST_TABLES,
        "models.UniqueConstraint(condition=models.Q(('status', 'pending')), fields=('article', 'space'), "
        "name='embedding_tasks_one_pending'), ",
        "",
        (_GUARDS,),
    ),
    Mutation(
        "index: one vector a chunk",
        "embeddings/migrations/0001_initial.py",
        "models.UniqueConstraint(fields=('article', 'space', 'chunk_index'), name='article_embeddings_one_per_chunk')",
        "",
        (_GUARDS,),
    ),
    Mutation(
        "trigger: audit rows do not change",
        "queueops/migrations/0002_guards.py",
        "    RAISE EXCEPTION 'embedding_audit_logs is append-only: a row cannot be changed';",
        "    RETURN NEW;",
        ("tests/test_migrations.py",),
    ),
    Mutation(
        "trigger: a status set by hand takes all along",
        _TOLD,
        "BEGIN{told}\n",
        "BEGIN{told}\n    RETURN NEW;\n",
        (_INVARIANTS,),
    ),
    Mutation(
        "trigger: what is put back gives way to a task that waits",
        _TOLD,
        "o.status = 'pending' AND o.id <> NEW.id",
        "false",
        ("tests/queueops/cli/test_reference_acting.py",),
    ),
    Mutation(
        "trigger: a change of an ended task by plain SQL is audited",
        _TOLD,
        "AND NEW.status <> OLD.status\n",
        "AND false\n",
        (_INVARIANTS,),
    ),
    Mutation(
        "trigger: the queue's own audit rows are not doubled",
        _TOLD,
        "    AND coalesce(current_setting('vectorpress.is_told', true), '') = ''\n",
        "",
        (_INVARIANTS,),
    ),
)
