"""Guards of the queue's rows and wake-ups, and the retry after a lost connection."""

from drills.guards.mutation import Mutation

_GIVING_WAY = "tests/queueops/engine/test_giving_way.py"
_SWEEP = "tests/queueops/maintenance/test_sweep.py"

MUTATIONS = (
    Mutation(
        "settle, release, sweep: somebody's commit came between",
        "queueops/base/database_retry.py",
        "_CONFLICTS = (UniqueViolation, DeadlockDetected)",
        "_CONFLICTS = (DeadlockDetected,)",
        (_GIVING_WAY,),
    ),
    Mutation(
        "workers: a stopped one keeps the brake",
        "queueops/models/worker_registry.py",
        "Worker.objects.filter(is_running=True, last_seen_at__lt",
        "Worker.objects.filter(last_seen_at__lt",
        (_SWEEP,),
    ),
    Mutation(
        "old wake-ups: a stranger's message stays",
        "queueops/wakeups/foreign_broker_users.py",
        "and ours[found.actor_name]",
        "and (ours[found.actor_name] or true)",
        ("tests/queueops/wakeups/test_foreign_broker_users.py",),
    ),
    Mutation(
        "wake-ups: a refused wait is a look at intervals",
        "queueops/wakeups/blocking_broker.py",
        "        except ResponseError:",
        "        except ZeroDivisionError:",
        ("tests/queueops/wakeups/test_blocking_broker.py",),
    ),
    Mutation(
        "wake-ups: no wait without room",
        "queueops/wakeups/blocking_broker.py",
        "if len(self._held) >= self._prefetch:",
        "if False:",
        ("tests/queueops/wakeups/test_blocking_broker.py",),
    ),
)
