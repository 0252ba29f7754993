"""Where imported articles came from."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("articles", "0005_keyword_letters")]
    operations = [
        migrations.CreateModel(
            name="ImportSource",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("location", models.TextField()),
            ],
            options={"db_table": "import_sources"},
        ),
        migrations.CreateModel(
            name="Provenance",
            fields=[
                (
                    "article",
                    models.OneToOneField(
                        on_delete=models.DB_CASCADE,
                        primary_key=True,
                        related_name="provenance",
                        serialize=False,
                        to="articles.article",
                    ),
                ),
                ("source", models.CharField(max_length=200)),
                ("path", models.CharField(max_length=500)),
            ],
            options={
                "db_table": "article_provenance",
                "constraints": [
                    models.UniqueConstraint(fields=("source", "path"), name="article_provenance_entry")
                ],
            },
        ),
    ]
