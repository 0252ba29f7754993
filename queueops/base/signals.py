"""The queue's signals; importable before Django's models."""

from django.dispatch import Signal

tasks_ready = Signal()  # sent inside the transaction that made tasks runnable
worker_booted = Signal()  # a worker process is about to take messages
worker_stopping = Signal()  # a worker process is to stop
worker_stopped = Signal()  # its threads have ended, or were abandoned
