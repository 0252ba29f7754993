"""The product's guards by room: for each the change that removes it, and the tests that must notice."""

from drills.guards import (
    access,
    admission,
    articles,
    config,
    embeddings,
    engine_claims,
    engine_settling,
    engine_storage,
    maintenance_recovery,
    maintenance_upkeep,
    monitoring,
    operate,
    rows_and_messages,
    schema,
    worker,
)
from drills.guards.mutation import Mutation

__all__ = ["MUTATIONS", "Mutation"]

MUTATIONS = (
    *engine_claims.MUTATIONS,
    *engine_settling.MUTATIONS,
    *engine_storage.MUTATIONS,
    *maintenance_recovery.MUTATIONS,
    *maintenance_upkeep.MUTATIONS,
    *worker.MUTATIONS,
    *admission.MUTATIONS,
    *schema.MUTATIONS,
    *embeddings.MUTATIONS,
    *rows_and_messages.MUTATIONS,
    *monitoring.MUTATIONS,
    *operate.MUTATIONS,
    *articles.MUTATIONS,
    *access.MUTATIONS,
    *config.MUTATIONS,
)
