"""Turns a Dramatiq worker's lifecycle into signals. Dramatiq loads this before Django's models exist."""

from dramatiq import Broker, Middleware, Worker
from dramatiq.broker import MessageProxy

from queueops.base import failpoints, signals


class WorkerLifecycle(Middleware):
    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        signals.worker_booted.send(type(self))

    def before_ack(self, broker: Broker, message: MessageProxy) -> None:
        failpoints.reach("before_ack")

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        signals.worker_stopping.send(type(self))

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        signals.worker_stopped.send(type(self))
