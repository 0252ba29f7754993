"""Tells Django about the room that joins all others."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
