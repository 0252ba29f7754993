"""The queue in the admin, one noun a file."""

from queueops.admin import articles, records, tasks, workers

__all__ = ["articles", "records", "tasks", "workers"]
