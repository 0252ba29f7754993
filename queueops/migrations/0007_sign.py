"""A view that says that the queue is installed: the last thing that comes, and the first that goes (queueops/installed.py)."""

from django.db import migrations

PUT_UP = """
CREATE OR REPLACE VIEW queue_is_installed AS
SELECT true AS it_is FROM queue_state, embedding_tasks, embedding_worker_status, provider_states;
"""
TAKE_DOWN = "DROP VIEW IF EXISTS queue_is_installed;"


class Migration(migrations.Migration):
    dependencies = [("queueops", "0007_migrate")]
    operations = [migrations.RunSQL(PUT_UP, TAKE_DOWN)]
