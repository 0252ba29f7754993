"""An audit row says in a column of its own what happened to its task: what programs decide must not hang on a sentence.

Rows from before have no event. The trigger for tasks that plain SQL changes (0011) writes it, too.
"""

from django.db import migrations, models

TELL = """
CREATE OR REPLACE FUNCTION embedding_tasks_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO embedding_audit_logs (level, category, {column}actor, message, task_id, metadata)
    SELECT 'warning', 'operator', {value}session_user, 'tasks ' || acted, NEW.id, jsonb_build_object(
        'reason', 'by plain SQL', 'scope', jsonb_build_object('verb', acted),
        'before', jsonb_build_object('status', OLD.status), 'after', jsonb_build_object('status', NEW.status))
    FROM (SELECT CASE WHEN NEW.status IN ('pending', 'processing') THEN 'requeued' ELSE NEW.status END) said (acted);
    RETURN NULL;
END $$;
"""
EVENTS = [
    ("", "none of these"),
    ("parked", "Parked"),
    ("returned", "Returned"),
    ("requeued", "Requeued"),
    ("cancelled", "Cancelled"),
    ("prioritized", "Prioritized"),
    ("cleared", "Cleared"),
    ("released", "Released"),
    ("queued", "Queued"),
    ("put back", "Put Back"),
    ("completed", "Completed"),
    ("failed", "Failed"),
]
CATEGORIES = [("operator", "Operator"), ("engine", "Engine"), ("sweep", "Sweep"), ("access", "Access")]


class Migration(migrations.Migration):
    dependencies = [("queueops", "0015_losses")]

    operations = [
        migrations.AlterField(
            model_name="auditlog",
            name="category",
            field=models.CharField(max_length=32, choices=CATEGORIES),
        ),
        migrations.AddField(
            model_name="auditlog",
            name="event",
            field=models.CharField(max_length=16, choices=EVENTS, blank=True, default="", db_default=""),
        ),
        migrations.RunSQL(
            TELL.format(column="event, ", value="acted, "), TELL.format(column="", value="")
        ),
    ]
