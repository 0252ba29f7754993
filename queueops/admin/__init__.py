"""The queue in the admin, one noun a file."""

from queueops.admin import articles, providers, records, tasks, workers

__all__ = ["articles", "providers", "records", "tasks", "workers"]
