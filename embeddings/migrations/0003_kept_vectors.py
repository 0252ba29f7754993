"""Vectors of articles that are not complete yet. Wide values lie apart: how far an article is, is read without them."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("articles", "0002_keywords"), ("embeddings", "0002_vector_storage")]

    operations = [
        migrations.CreateModel(
            name="KeptVector",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "text_hash",
                    models.BinaryField(help_text="BLAKE2b-128 of the text that was embedded", max_length=16),
                ),
                (
                    "embedding",
                    models.BinaryField(help_text="as pgvector sends it: vectors.WireVector"),
                ),
                ("passages", models.PositiveIntegerField()),
                (
                    "kept_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "article",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.DB_CASCADE,
                        related_name="+",
                        to="articles.article",
                    ),
                ),
                (
                    "space",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.DB_CASCADE,
                        related_name="+",
                        to="embeddings.space",
                    ),
                ),
            ],
            options={
                "db_table": "kept_vectors",
                "indexes": [models.Index(fields=["space", "text_hash"], name="kept_vectors_text")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("article", "space", "text_hash"), name="kept_vectors_one_per_text"
                    )
                ],
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE kept_vectors ALTER COLUMN embedding SET STORAGE EXTERNAL,"
            " SET (toast_tuple_target = 128);",
            migrations.RunSQL.noop,
        ),
    ]
