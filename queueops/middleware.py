"""Turns a Dramatiq worker's life into signals. Dramatiq loads this before Django's models exist."""

from dramatiq import Broker, Middleware, Worker

from queueops import signals


class WorkerLife(Middleware):
    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        signals.worker_booted.send(type(self))

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        signals.worker_stopping.send(type(self))

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        signals.worker_stopped.send(type(self))
