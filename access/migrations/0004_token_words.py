"""How the admin names a token; the tables stay as they are."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("access", "0003_sessions")]

    operations = [
        migrations.AlterModelOptions(
            name="apitoken", options={"verbose_name": "API token", "verbose_name_plural": "API tokens"}
        ),
    ]
