"""The tsvector that keyword search reads, kept by the database and unknown to the model (see articles/models.py)."""

from django.db import migrations

# Postgres refuses a tsvector over 1 MB; no text's first 100,000 characters can reach that.
ADD = """
ALTER TABLE articles ADD COLUMN keywords tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', left(content, 100000)), 'B')
) STORED;
-- embeddings.search.keyword: texts that match a query's words
CREATE INDEX articles_keywords ON articles USING gin (keywords);
"""
REMOVE = "ALTER TABLE articles DROP COLUMN keywords;"


class Migration(migrations.Migration):
    dependencies = [("articles", "0001_initial")]
    operations = [migrations.RunSQL(ADD, REMOVE)]
