"""Tells Django about this room."""

from django.apps import AppConfig


class QueueopsConfig(AppConfig):
    name = "queueops"
    default_auto_field = "django.db.models.BigAutoField"
