"""What the model checks, the database checks too; and rows written past `save()` get their slug and their history.

The check holds for each row that is written from here on (NOT VALID): 0003 has mended the rows of before, and what was
only too large stays. No trigger of an INSERT does anything for `save()` and imports: those give slug and version number
themselves, and write the versions.
"""

from importlib import import_module

from django.db import migrations, models

_mended = import_module("articles.migrations.0003_mended_rows")

# One function for all: the server reads the text of each CHECK again for each statement, and the function's but once a
# session (measured with six checks: 36 µs an INSERT, with one function 12). Characters are counted only where bytes could
# be too many, and metadata is measured as stored: at most six times its JSON.
CHECK = f"""
CREATE FUNCTION check_article(
    slug text, title text, content text, metadata jsonb, version_number int, created_at timestamptz, updated_at timestamptz
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    broken text;
BEGIN
    IF NOT ({_mended.IS_SLUG}) THEN
        broken := 'slug_is_an_address';
    ELSIF NOT ({_mended.IS_TITLE}) THEN
        broken := 'title_is_a_line';
    ELSIF octet_length(content) > 1000000 AND char_length(content) > 1000000 THEN
        broken := 'content_fits';
    ELSIF metadata <> '{{}}' AND pg_column_size(metadata) > 6 * 16384 THEN
        broken := 'metadata_fits';
    ELSIF metadata <> '{{}}' AND NOT ({_mended.IS_METADATA}) THEN
        broken := 'metadata_can_be_read';
    ELSIF version_number < 1 THEN
        broken := 'version_from_1';
    ELSIF NOT (created_at {_mended.TIME} AND updated_at {_mended.TIME}) THEN
        broken := 'times_of_years_1_to_9999';
    END IF;
    IF broken IS NOT NULL THEN
        RAISE check_violation USING
            MESSAGE = format('an article breaks the check %s', broken), CONSTRAINT = broken, TABLE = 'articles';
    END IF;
    RETURN true;
END $$;
ALTER TABLE articles ADD CONSTRAINT articles_checked
    CHECK (check_article(slug, title, content, metadata, version_number, created_at, updated_at)) NOT VALID;
ALTER TABLE article_versions ADD CONSTRAINT article_versions_times_of_years_1_to_9999
    CHECK (created_at {_mended.TIME}) NOT VALID;
"""
WITHOUT_CHECK = """
ALTER TABLE article_versions DROP CONSTRAINT article_versions_times_of_years_1_to_9999;
ALTER TABLE articles DROP CONSTRAINT articles_checked;
DROP FUNCTION check_article;
"""

# A version number of 0, the column's default, asks for version 1. Only after the INSERT is the article there to have
# versions. The WHEN costs the rows of others one comparison.
INSERTS = """
CREATE FUNCTION articles_fill_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(NEW.slug, '') = '' THEN
        NEW.slug := 'article-' || NEW.id;
        WHILE EXISTS (SELECT FROM articles WHERE slug = NEW.slug) LOOP
            NEW.slug := 'article-' || NEW.id || '-' || left(md5(random()::text), 8);
        END LOOP;
    END IF;
    IF coalesce(NEW.version_number, 0) = 0 THEN
        NEW.version_number := 1;
        PERFORM set_config('vectorpress.without_version', NEW.id::text, true);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER articles_fill_in BEFORE INSERT ON articles FOR EACH ROW
    WHEN (coalesce(NEW.slug, '') = '' OR coalesce(NEW.version_number, 0) = 0)
    EXECUTE FUNCTION articles_fill_in();

CREATE FUNCTION articles_first_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO article_versions (article_id, version_number, title, content, created_at)
    VALUES (NEW.id, NEW.version_number, NEW.title, NEW.content, NEW.created_at)
    ON CONFLICT (article_id, version_number) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER articles_first_version AFTER INSERT ON articles FOR EACH ROW
    WHEN (current_setting('vectorpress.without_version', true) = NEW.id::text)
    EXECUTE FUNCTION articles_first_version();
"""

# The old text has its version before it is overwritten, whoever wrote it. New text under the old number was not written
# by `save()`: it gets the next number, and its version.
UPDATES = """
CREATE FUNCTION articles_keep_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM article_versions WHERE article_id = OLD.id AND version_number = OLD.version_number) THEN
        INSERT INTO article_versions (article_id, version_number, title, content, created_at)
        VALUES (OLD.id, OLD.version_number, OLD.title, OLD.content, OLD.updated_at)
        ON CONFLICT (article_id, version_number) DO NOTHING;
    END IF;
    IF NEW.version_number = OLD.version_number THEN
        NEW.version_number := OLD.version_number + 1;
        INSERT INTO article_versions (article_id, version_number, title, content)
        VALUES (NEW.id, NEW.version_number, NEW.title, NEW.content)
        ON CONFLICT (article_id, version_number) DO NOTHING;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER articles_keep_text BEFORE UPDATE OF title, content ON articles FOR EACH ROW
    WHEN ((OLD.title, OLD.content) IS DISTINCT FROM (NEW.title, NEW.content))
    EXECUTE FUNCTION articles_keep_text();
"""
WITHOUT = "".join(
    f"DROP TRIGGER {name} ON articles; DROP FUNCTION {name}();\n"
    for name in ("articles_fill_in", "articles_first_version", "articles_keep_text")
)


class Migration(migrations.Migration):
    dependencies = [("articles", "0003_mended_rows")]
    operations = [
        migrations.AlterField(
            model_name="article",
            name="version_number",
            field=models.PositiveIntegerField(db_default=0, editable=False),
        ),
        migrations.RunSQL(CHECK, WITHOUT_CHECK),
        migrations.RunSQL(INSERTS + UPDATES, WITHOUT),
    ]
