"""The column is named for what it holds: how many chunks of the article had no vector when it was begun."""

from django.db import migrations

_CHECK = "ALTER TABLE kept_vectors RENAME CONSTRAINT kept_vectors_{}_check TO kept_vectors_{}_check"


class Migration(migrations.Migration):
    dependencies = [("embeddings", "0003_kept_vectors")]

    operations = [
        migrations.RenameField("keptvector", "passages", "chunks_to_embed"),
        migrations.RunSQL(_CHECK.format("passages", "chunks_to_embed"), _CHECK.format("chunks_to_embed", "passages")),
    ]
