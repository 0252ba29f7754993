"""A task says how often a worker was lost with it, and whether the worker that has it now holds nothing else.

An attempt is charged for a lost worker only where the task was alone in its hands: see queueops/engine/worker_loss.py.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("queueops", "0014_clocks")]

    operations = [
        migrations.AddField(
            model_name="task",
            name="losses",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, help_text="how often in a row a worker was lost with it"
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="is_alone",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="the worker that claimed it last held nothing else as long as it had it",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(losses__gt=0, status="pending"),
                fields=["space", "-losses", "id"],
                name="embedding_tasks_lost",
            ),
        ),
    ]
