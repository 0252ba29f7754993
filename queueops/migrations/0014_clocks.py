"""Rows say by what clock they were written, so that a clock that was ahead locks nothing out once it has stepped back.

A task knows when it was scheduled, whoever did so: a schedule that was written later than now is another clock's. A
migration of several stages knows the newest article that was there when it began, so that no article's own time counts.
"""

from datetime import UTC, datetime

from django.db import migrations, models
from django.db.models.functions import Now

# A claim and its end set no schedule, so they do not fire it.
NOTE_SCHEDULE = """
CREATE FUNCTION embedding_tasks_note_schedule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.schedule_set_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER embedding_tasks_note_schedule BEFORE UPDATE OF scheduled_at ON embedding_tasks FOR EACH ROW
    WHEN (NEW.scheduled_at <> OLD.scheduled_at) EXECUTE FUNCTION embedding_tasks_note_schedule();
"""
NOTE_NOTHING = """
DROP TRIGGER embedding_tasks_note_schedule ON embedding_tasks;
DROP FUNCTION embedding_tasks_note_schedule();
"""
_TIMES = (
    *("created_at", "scheduled_at", "schedule_set_at"),
    *("processed_at", "completed_at", "lease_expires_at"),
)
_READABLE = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))


class Migration(migrations.Migration):
    dependencies = [("queueops", "0013_refusals")]

    operations = [
        migrations.AddField(
            "task",
            "schedule_set_at",
            models.DateTimeField(
                db_default=Now(), editable=False, help_text="when scheduled_at was written, by any writer"
            ),
        ),
        migrations.RemoveConstraint("task", "embedding_tasks_times_of_years_1_to_9999"),
        migrations.AddConstraint(
            "task",
            models.CheckConstraint(
                condition=models.Q(*((f"{time}__range", _READABLE) for time in _TIMES)),
                name="embedding_tasks_times_of_years_1_to_9999",
            ),
        ),
        migrations.RunSQL(NOTE_SCHEDULE, NOTE_NOTHING),
        migrations.AddField(
            "operation",
            "newest_article",
            models.BigIntegerField(
                null=True, help_text="of a migration: the highest id of an article when it began"
            ),
        ),
    ]
