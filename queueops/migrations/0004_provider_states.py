"""What all workers together know of a provider: breaker, rate limit, budgets."""

import queueops.models.provider
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("queueops", "0003_tidy_by_hand")]
    operations = [
        migrations.CreateModel(
            name="ProviderState",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("breaker", models.CharField(choices=[("closed", "Closed"), ("open", "Open"), ("half_open", "Half Open")], db_default="closed", default="closed", max_length=16)),
                ("failures", models.PositiveIntegerField(db_default=0, default=0, help_text="batches in a row that failed")),
                ("openings", models.PositiveIntegerField(db_default=0, default=0, help_text="times opened since it last answered")),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("retry_at", models.DateTimeField(blank=True, help_text="when the next canary may go", null=True)),
                ("canary", models.UUIDField(blank=True, help_text="the token of the worker that asks for all", null=True)),
                ("canary_until", models.DateTimeField(blank=True, null=True)),
                ("refusals", models.PositiveIntegerField(db_default=0, default=0, help_text="batches in a row answered with 429")),
                ("blocked_until", models.DateTimeField(blank=True, help_text="rate limit: nobody asks before this", null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("last_error_at", models.DateTimeField(blank=True, null=True)),
                ("requests_full_at", models.DateTimeField(blank=True, null=True)),
                ("tokens_full_at", models.DateTimeField(blank=True, null=True)),
                ("calls", models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=queueops.models.provider._no_calls)),
                ("day", models.DateField(blank=True, null=True)),
                ("tokens_today", models.PositiveBigIntegerField(db_default=0, default=0)),
            ],
            options={
                "db_table": "provider_states",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("breaker__in", ["closed", "open", "half_open"])), name="provider_states_known_breaker")
                ],
            },
        ),
    ]
