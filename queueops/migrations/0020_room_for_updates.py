"""Pages of the task table keep room for what becomes of their rows, its vacuum never pauses, and a renewed lease changes
no index.

A task is written three times at least: it waits, is claimed and ends, and its lease may be renewed. A renewal that
finds room in its row's page writes to no index; see docs/decisions/0021-growth-of-the-task-table.md.
"""

from django.db import migrations, models

ROOM = "ALTER TABLE embedding_tasks SET (fillfactor = 60, autovacuum_vacuum_cost_delay = 0)"
AS_BEFORE = "ALTER TABLE embedding_tasks RESET (fillfactor, autovacuum_vacuum_cost_delay)"


class Migration(migrations.Migration):
    dependencies = [("queueops", "0019_drift_position")]

    operations = [
        migrations.RunSQL(ROOM, AS_BEFORE),
        migrations.RemoveIndex("task", "embedding_tasks_held"),
        migrations.AddIndex(
            "task",
            models.Index(
                fields=["claim_token"], condition=models.Q(status="processing"), name="embedding_tasks_held"
            ),
        ),
    ]
