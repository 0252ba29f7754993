"""Registers this app with Django, and makes sure that a migrated database has a first space."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class EmbeddingsConfig(AppConfig):
    name = "embeddings"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from embeddings import spaces

        post_migrate.connect(spaces.ensure_first, sender=self)
