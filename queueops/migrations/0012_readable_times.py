"""Times that Python cannot read, such as infinity, are refused; those that are there already become the present."""

from datetime import UTC, datetime

from django.db import migrations, models

_TIMES = ("created_at", "scheduled_at", "processed_at", "completed_at", "lease_expires_at")
_READABLE = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
_LEFT = " OR ".join(f"{time} NOT BETWEEN '0001-01-02 UTC' AND '9999-12-30 UTC'" for time in _TIMES)
_MENDED = ", ".join(
    f"{time} = CASE WHEN {time} NOT BETWEEN '0001-01-02 UTC' AND '9999-12-30 UTC' THEN now() ELSE {time} END"
    for time in _TIMES
)
_MEND = f"UPDATE embedding_tasks SET {_MENDED} WHERE {_LEFT}"  # noqa: S608  the only text put in is our own


class Migration(migrations.Migration):
    dependencies = [("queueops", "0011_told_by_hand")]

    operations = [
        migrations.RunSQL(_MEND, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                condition=models.Q(*((f"{time}__range", _READABLE) for time in _TIMES)),
                name="embedding_tasks_times_of_years_1_to_9999",
            ),
        ),
    ]
