"""Registers this app with Django, and brings the indexes of filters up to date after `migrate`."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ArticlesConfig(AppConfig):
    name = "articles"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from articles.filters import indexes

        post_migrate.connect(indexes.sync, sender=self)
