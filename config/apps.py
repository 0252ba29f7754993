"""Tells Django about the room that joins all others, and connects what lies beside each other."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        from access.signals import token_changed
        from config import audit, token_check
        from queueops.checks import added

        token_changed.connect(audit.token_changed)
        added.add(token_check.check)
