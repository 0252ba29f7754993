"""The Django app; connects the signals to their receivers."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class QueueopsConfig(AppConfig):
    name = "queueops"
    verbose_name = "Queue"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from articles import insert
        from articles.signals import articles_written
        from embeddings import embedding_switch
        from queueops.base import installed, shutdown, signals
        from queueops.engine import modes, receivers
        from queueops.models import QueueState
        from queueops.wakeups import doorbell
        from queueops.worker.housekeeper import housekeeper
        from queueops.worker.leases import lease_renewer

        embedding_switch.decided_by(modes.embeds)
        pre_migrate.connect(installed.before_migrate, sender=self)
        post_migrate.connect(installed.after_migrate, sender=self)
        post_migrate.connect(QueueState.ensure_row, sender=self)
        insert.accompanied_by(receivers.with_new_article)
        articles_written.connect(receivers.articles_written)
        signals.tasks_ready.connect(doorbell.ring_after_commit)
        signals.worker_booted.connect(shutdown.clear)
        signals.worker_booted.connect(housekeeper.start)
        signals.worker_booted.connect(lease_renewer.start)
        signals.worker_stopping.connect(shutdown.request)
        signals.worker_stopping.connect(housekeeper.stop)
        signals.worker_stopped.connect(lease_renewer.stop)
        signals.worker_stopped.connect(housekeeper.leave)
