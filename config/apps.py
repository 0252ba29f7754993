"""Registers the room that joins all others and the admin's site with Django, and connects what lies beside each
other."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.core.cache import close_caches
from django.core.signals import request_finished


class ConfigConfig(AppConfig):
    name = "config"
    default = True

    def ready(self) -> None:
        from access.signals import token_changed
        from config import audit, security_log, token_check
        from config.backups import program_check
        from queueops.operate.checks import registered_checks

        token_changed.connect(audit.token_changed)
        registered_checks.add(token_check.check)
        registered_checks.add(program_check.check)
        security_log.connect()
        request_finished.disconnect(close_caches)  # none holds anything (CACHES), and each request asks them


class AdminConfig(admin.AdminConfig):
    default = False
    default_site = "config.admin_site.AdminSite"
