"""A worker's row says that the database takes no vectors, and the queue's when leases were last returned."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("queueops", "0012_readable_times")]

    operations = [
        migrations.AddField("worker", "refusal", models.TextField(blank=True, default="", db_default="")),
        migrations.AddField("worker", "refused_since", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "queuestate", "leases_returned_at", models.DateTimeField(blank=True, editable=False, null=True)
        ),
        migrations.AddField(
            "queuestate", "grace_until", models.DateTimeField(blank=True, editable=False, null=True)
        ),
    ]
