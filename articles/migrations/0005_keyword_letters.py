"""The keyword column again, with accents folded, joined words in parts, and scripts without spaces.

The table is rewritten in one statement, while nobody reads or writes it: about 1.5 ms for each article of 1,200
characters, never more than 2 s for one (docs/search.md).
"""

from django.db import migrations

# Frozen here, and the same as articles/letter_folding.py (a test compares them): characters beyond ASCII that are no letters, …
SEPARATORS = (
    r"\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u02c2-\u02df\u2000-\u2bff\u2e00-\u2e7f"
    r"\u3000-\u3004\u3008-\u3020\u3030\u303d\u30fb\ufe10-\ufe6f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
    r"\ufff0-\uffff\U0001f000-\U0001faff"
)
# … and those of scripts without spaces.
UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3021-\u302f\u3031-\u30fa\u30fc-\u318f\u31a0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
# PL/pgSQL keeps its plan for the session; a function in SQL would be planned again in each save. Each calls nothing but
# built-in functions, so that no search_path changes what it does.
#
# Runs beyond ASCII are cut at 100 characters first: Postgres sorts the marks on a letter in time that grows with the
# square of their number. A run of a script without spaces becomes its pairs of characters: all are doubled, the first
# of a run is dropped, and the rest is read two by two (abc → aabbcc → abbcc → "ab bc c"). Without '<' and joints between
# words the parser sees no tags, files, hosts and addresses, which take it time that grows with the square, too.
# Postgres refuses a tsvector over 1 MB: what has 150,000 and 20,000 characters cannot reach that.
WORDS = rf"""
CREATE FUNCTION articles_words(source text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $function$
DECLARE words text := source;
BEGIN
    IF octet_length(words) <> length(words) THEN
        words := regexp_replace(words, '[{SEPARATORS}]+', ' ', 'g');
        words := regexp_replace(words, '([^\u0001-\u007f]{{100}})', '\1 ', 'g');
        IF words ~ '[^\u0001-\u007f]' THEN
            words := left(regexp_replace(normalize(words, NFKD), '[\u0300-\u036f]+', '', 'g'), 150000);
            words := replace(replace(replace(words, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
            words := replace(replace(replace(words, 'ẞ', 'ss'), 'Æ', 'AE'), 'Œ', 'OE');
            words := normalize(translate(words, 'øØłŁđĐħĦıς', 'oOlLdDhHiσ'), NFC);
        END IF;
        IF words ~ '[{UNSPACED}]' THEN
            words := regexp_replace(words, '([{UNSPACED}])', '\1\1', 'g');
            words := regexp_replace(words, '(^|[^{UNSPACED}])[{UNSPACED}]', '\1 ', 'g');
            words := regexp_replace(words, '([{UNSPACED}][{UNSPACED}]?)', '\1 ', 'g');
        END IF;
    END IF;
    words := regexp_replace(replace(words, '<', ' '),
        '[-._/@:~+](?=[A-Za-z0-9\u0080-\U0010ffff])|[-._/@:~+]{{2,}}', ' ', 'g');
    RETURN left(words, 150000);
END
$function$;
"""
# Other spellings of joined words: TCP/IP as tcpip, ZipFile as zip and file.
SPELLINGS = r"""
CREATE FUNCTION articles_spellings(source text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $function$
DECLARE joined text; humps text;
BEGIN
    SELECT string_agg(match[1], ' ') INTO joined FROM regexp_matches(source,
        '[A-Za-z0-9\u0080-\U0010ffff]+(?:[-._/@:~+]+[A-Za-z0-9\u0080-\U0010ffff]+)+', 'g') match;
    SELECT string_agg(match[1], ' ') INTO humps FROM regexp_matches(source,
        '[A-Za-z0-9]*(?:[a-z][A-Z]|[A-Z][A-Z][a-z][a-z])[A-Za-z0-9]*', 'g') match;
    RETURN left(concat_ws(' ', translate(joined, '-._/@:~+', ''), regexp_replace(
        regexp_replace(humps, '([a-z])([A-Z])', '\1 \2', 'g'), '([A-Z])([A-Z][a-z][a-z])', '\1 \2', 'g')), 20000);
END
$function$;
"""
COLUMN = """
ALTER TABLE articles DROP COLUMN keywords, ADD COLUMN keywords tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('english', articles_words(title)), 'A')
    || setweight(to_tsvector('english', articles_words(left(content, 100000))), 'B')
    || setweight(to_tsvector('english',
        articles_words(articles_spellings(left(title || ' ' || content, 100000)))), 'C')
) STORED;
-- embeddings.search.keyword: texts that match a query's words
CREATE INDEX articles_keywords ON articles USING gin (keywords);
"""
OLD_COLUMN = r"""
ALTER TABLE articles DROP COLUMN keywords, ADD COLUMN keywords tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('english', title), 'A')
    || setweight(to_tsvector('english', regexp_replace(
        replace(left(content, 100000), '<!--', ' '), '(\S{128})', '\1 ', 'g')), 'B')
) STORED;
CREATE INDEX articles_keywords ON articles USING gin (keywords);
DROP FUNCTION articles_words(text), articles_spellings(text);
"""


class Migration(migrations.Migration):
    dependencies = [("articles", "0004_by_hand")]
    operations = [migrations.RunSQL(WORDS + SPELLINGS + COLUMN, OLD_COLUMN)]
