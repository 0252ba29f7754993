"""Tells Django about the room that joins all others, and about the admin's site."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin


class ConfigConfig(AppConfig):
    name = "config"
    default = True

    def ready(self) -> None:
        from config import security_log

        security_log.connect()


class AdminConfig(admin.AdminConfig):
    default = False
    default_site = "config.admin_site.AdminSite"
