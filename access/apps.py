"""Tells Django about this room."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_save, pre_save


class AccessConfig(AppConfig):
    name = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.models import User

        from access import account_changes, sessions

        user_logged_in.connect(sessions.describe)
        pre_save.connect(account_changes.note, sender=User)
        post_save.connect(account_changes.end_sessions, sender=User)
