"""A migration of a corpus can be one of several stages, whose rest the sweep leaves alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("queueops", "0009_give_way")]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="is_stage",
            field=models.BooleanField(
                db_default=False, default=False, help_text="a migration that leaves articles to the next one"
            ),
        ),
    ]
