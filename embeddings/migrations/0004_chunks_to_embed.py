"""The column is named for what it holds: how many chunks of the article had no vector when it was begun."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("embeddings", "0003_kept_vectors")]

    operations = [migrations.RenameField("keptvector", "passages", "chunks_to_embed")]
