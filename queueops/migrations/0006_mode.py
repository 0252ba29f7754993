"""Who set the mode and why, beside who paused and why: the queue can be paused and synchronous at once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("queueops", "0005_operations")]
    operations = [
        migrations.AddField(
            "queuestate", "mode_reason", models.TextField(blank=True, db_default="", default="")
        ),
        migrations.AddField(
            "queuestate",
            "mode_changed_by",
            models.CharField(blank=True, db_default="", default="", max_length=150),
        ),
        migrations.AddField("queuestate", "mode_changed_at", models.DateTimeField(blank=True, null=True)),
    ]
