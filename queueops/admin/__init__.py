"""The queue in the admin, one noun a file."""

from queueops.admin import articles, audit_and_metrics, provider_states, tasks, workers

__all__ = ["articles", "audit_and_metrics", "provider_states", "tasks", "workers"]
