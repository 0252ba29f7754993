"""Vectors do not compress: keep Postgres from trying on every write of a wide one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("embeddings", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE article_embeddings ALTER COLUMN embedding SET STORAGE EXTERNAL;",
            "ALTER TABLE article_embeddings ALTER COLUMN embedding SET STORAGE EXTENDED;",
        )
    ]
