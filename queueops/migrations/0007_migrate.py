"""A migration of a corpus is an operation too."""

from django.db import migrations, models

VERBS = [
    ("requeue", "Requeue"), ("cancel", "Cancel"), ("prioritize", "Prioritize"), ("clear", "Clear"),
    ("release", "Release"), ("migrate", "Migrate"), ("undo", "Undo"),
]
PRIORITIES = [("low", "Low"), ("normal", "Normal"), ("high", "High")]


class Migration(migrations.Migration):
    dependencies = [("queueops", "0006_mode")]
    operations = [
        migrations.AlterField("operation", "verb", models.CharField(choices=VERBS, max_length=16)),
        migrations.AlterField(
            "operation",
            "priority",
            models.CharField(
                blank=True, choices=PRIORITIES, default="", help_text="what prioritize sets, and migrate gives", max_length=8
            ),
        ),
    ]
