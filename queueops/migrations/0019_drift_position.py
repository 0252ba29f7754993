from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("queueops", "0018_metadata_words")]

    operations = [
        migrations.AddField(
            "queuestate",
            "drift_after",
            models.BigIntegerField(db_default=0, default=0, editable=False),
        )
    ]
