"""The function that reads a date of metadata, for the indexes that SEARCH_FILTERS asks for.

Immutable in truth, since an index keeps its result: without a zone a text is UTC, whatever the session's time zone is.
The pattern is that of articles/filters/parse.py, which reads what callers compare with; a test compares them.
"""

from django.db import migrations

DATE = r"""
CREATE FUNCTION articles_filter_date(source text) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $function$
DECLARE found text[];
BEGIN
    found := regexp_match(source, '^(\d{4}-\d\d-\d\d)(?:[T ]((?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)'
        '(Z|[+-](?:0\d|1[0-4]):[0-5]\d)?)?$');
    IF found IS NULL OR source ~ '[^ -~]' OR NOT pg_input_is_valid(found[1], 'date') THEN
        RETURN NULL;
    END IF;
    RETURN (found[1] || ' ' || coalesce(found[2], '00:00') || coalesce(found[3], 'Z'))::timestamptz;
END
$function$;
"""
# with the indexes that use it, if there are any
WITHOUT = "DROP FUNCTION articles_filter_date(text) CASCADE;"


class Migration(migrations.Migration):
    dependencies = [("articles", "0007_free_version_numbers")]
    operations = [migrations.RunSQL(DATE, WITHOUT)]
