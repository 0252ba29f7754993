"""The tsvector that keyword search reads, kept by the database and unknown to the model (see articles/models.py)."""

from django.db import migrations

# Postgres refuses a tsvector over 1 MB; no text's first 100,000 characters can reach that (measured: 0.97 MB).
# Its word parser takes time that grows with the square of a run without white space ("a_a_a_…": minutes for
# 100,000 characters) and of unclosed comments ("<!--<!--…"), so runs are cut at 128 and comments are opened up.
ADD = r"""
ALTER TABLE articles ADD COLUMN keywords tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('english', title), 'A')
    || setweight(to_tsvector('english', regexp_replace(
        replace(left(content, 100000), '<!--', ' '), '(\S{128})', '\1 ', 'g')), 'B')
) STORED;
-- embeddings.search.keyword: texts that match a query's words
CREATE INDEX articles_keywords ON articles USING gin (keywords);
"""
REMOVE = "ALTER TABLE articles DROP COLUMN keywords;"


class Migration(migrations.Migration):
    dependencies = [("articles", "0001_initial")]
    operations = [migrations.RunSQL(ADD, REMOVE)]
