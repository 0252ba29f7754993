"""Guards of whether a provider is called: breaker, limiter, self-pause."""

from drills.guards.mutation import Mutation

_BREAKING = "tests/queueops/admission/test_circuit_breaker.py"
_CLOCKS = "tests/queueops/maintenance/test_clock_repair.py"
_GUARDS = "tests/queueops/engine/test_guards.py"
_OUTAGE = "tests/queueops/admission/test_outage.py"

_RECIPES = "tests/queueops/admission/test_recipe_guard.py"

MUTATIONS = (
    Mutation(
        "recipe: a worker of another one claims nothing",
        "queueops/worker/drain.py",
        "[space for space in receiving if recipe_guard.may_write(space)]",
        "list(receiving)",
        (_RECIPES,),
    ),
    Mutation(
        "recipe: a batch of another one is not stored",
        "embeddings/indexing/store.py",
        "        demand_recipe(space)\n",
        "",
        (_RECIPES,),
    ),
    Mutation(
        "recipe: a search does not mix two",
        "embeddings/search/service.py",
        "    if not recipes.fits(space):\n",
        "    if False:\n",
        ("tests/embeddings/search/test_service.py",),
    ),
    Mutation(
        "limiter: a call of a clock ahead holds no slot",
        "queueops/admission/rate_limiter.py",
        "BETWEEN 0 AND {_SLOT_SECONDS}",
        "> 0",
        (_CLOCKS,),
    ),
    Mutation(
        "limiter: tokens of a day to come stay spent",
        "queueops/admission/rate_limiter.py",
        "CASE WHEN day >= {_TODAY}",
        "CASE WHEN day = {_TODAY}",
        (_CLOCKS,),
    ),
    Mutation(
        "pause: a change ahead of now does not keep the queue going",
        "queueops/admission/self_pause.py",
        " OR changed_at > clock_timestamp()",
        "",
        (_CLOCKS,),
    ),
    Mutation(
        "breaker: one canary",
        "queueops/admission/gate.py",
        "\n  AND (canary_until IS NULL OR canary_until <= statement_timestamp())",
        "",
        (_OUTAGE,),
    ),
    Mutation(
        "breaker: no canary before its time",
        "queueops/admission/gate.py",
        "breaker <> 'closed' AND retry_at <= statement_timestamp()",
        "breaker <> 'closed'",
        (_GUARDS,),
    ),
    Mutation(
        "breaker: no canary once it is closed",
        "queueops/admission/gate.py",
        "breaker <> 'closed' AND retry_at <= statement_timestamp()",
        "retry_at <= statement_timestamp()",
        (_GUARDS,),
    ),
    Mutation(
        "breaker: a canary that lost its turn is not heard",
        "queueops/admission/gate.py",
        "permit.canary is not None and row.canary == permit.canary",
        "permit.canary is not None",
        (_OUTAGE,),
    ),
    Mutation(
        "breaker: the provider's row is locked",
        "queueops/admission/gate.py",
        "ProviderState.objects.select_for_update().annotate",
        "ProviderState.objects.annotate",
        (_GUARDS,),
    ),
    Mutation(
        "limiter: no request beyond the budget",
        "queueops/admission/rate_limiter.py",
        "WHERE name = %(name)s AND {_WAIT} <= 0",
        "WHERE name = %(name)s AND ({_WAIT} <= 0 OR true)",
        ("tests/queueops/admission/test_rate_limiter.py",),
    ),
    Mutation(
        "breaker: only the canary closes it",
        "queueops/admission/circuit_breaker.py",
        "if state.breaker != Breaker.CLOSED and not is_canary:",
        "if False:",
        (_BREAKING,),
    ),
)
