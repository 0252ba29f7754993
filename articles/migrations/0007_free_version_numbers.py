"""A version number set by hand, too low or too high, neither stops the next save nor hides a text from the history."""

from django.db import migrations

# As in 0004, but where the number is taken, or next to the end of the type, the first free one after the history's is
# given: the greatest with two free ones after it, for the old text and the new one. Whether an old text is in the history
# is read only where its number is not the history's last: it may be long.
KEEP_TEXT = """
CREATE OR REPLACE FUNCTION articles_keep_text() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    most CONSTANT int := 1999999998;
    highest int;
BEGIN
    SELECT version_number INTO highest FROM article_versions v
    WHERE article_id = OLD.id AND version_number < most AND NOT EXISTS (
        SELECT FROM article_versions next
        WHERE next.article_id = OLD.id AND next.version_number IN (v.version_number + 1, v.version_number + 2))
    ORDER BY version_number DESC LIMIT 1;
    highest := coalesce(highest, 0);
    IF OLD.version_number <> highest AND NOT EXISTS (
        SELECT FROM article_versions WHERE article_id = OLD.id AND (title, content) = (OLD.title, OLD.content)
    ) THEN
        highest := CASE WHEN OLD.version_number > highest AND OLD.version_number < most AND NOT EXISTS (
            SELECT FROM article_versions
            WHERE article_id = OLD.id AND version_number IN (OLD.version_number, OLD.version_number + 1)
        ) THEN OLD.version_number ELSE highest + 1 END;
        INSERT INTO article_versions (article_id, version_number, title, content, created_at)
        VALUES (OLD.id, highest, OLD.title, OLD.content, OLD.updated_at);
    END IF;
    IF NEW.version_number = OLD.version_number THEN
        NEW.version_number := highest + 1;
        INSERT INTO article_versions (article_id, version_number, title, content)
        VALUES (NEW.id, NEW.version_number, NEW.title, NEW.content);
    ELSIF NEW.version_number <= highest OR NEW.version_number >= most OR EXISTS (
        SELECT FROM article_versions WHERE article_id = NEW.id AND version_number = NEW.version_number
            AND (title, content) <> (NEW.title, NEW.content)
    ) THEN
        NEW.version_number := highest + 1;
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("articles", "0006_provenance")]
    # the earlier migrations work with this function as well
    operations = [migrations.RunSQL(KEEP_TEXT, migrations.RunSQL.noop)]
