"""Tokens get an allow list, whoever made them, and a mark on the rows of AUTH_TOKEN."""

import django.contrib.postgres.fields
from django.db import migrations, models

import access.models


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [
        migrations.AddField(
            "apitoken",
            "allow_from",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=43),
                blank=True,
                db_default=[],
                default=list,
                help_text="addresses and networks that may use it; everywhere, when empty",
            ),
        ),
        migrations.AddField(
            "apitoken",
            "created_by",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=150),
        ),
        migrations.AddField(
            "apitoken", "bootstrap_line", models.UUIDField(blank=True, editable=False, null=True)
        ),
        migrations.AlterField(
            "apitoken",
            "name",
            models.CharField(
                help_text="who or what uses this token",
                max_length=100,
                validators=[access.models.check_name],
            ),
        ),
        migrations.AlterField(
            "apitoken",
            "scopes",
            django.contrib.postgres.fields.ArrayField(
                models.CharField(
                    choices=[
                        ("read", "read articles and search"),
                        ("write", "write and delete articles, without reading them"),
                        ("ops", "operate the queue"),
                    ],
                    max_length=16,
                )
            ),
        ),
    ]
