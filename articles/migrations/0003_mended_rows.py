"""Mends the rows that the check of 0004 refuses, and prints how many; rows in order stay as they are.

A slug that cannot be an address gets one; a title loses its control characters; times that Python cannot read become the
present; metadata that programs cannot read is kept as the text of its JSON. An article whose present text has no version
gets that version. What is only too large is left as it is.
"""

import json
from typing import Any

from django.db import migrations

from articles import slugs

TIME = "BETWEEN '0001-01-02 UTC' AND '9999-12-30 UTC'"
IS_TITLE = r"""title !~ '[\u0001-\u001f\u007f]'
        AND title ~ '[^ \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]'"""
# A letter of another script is accepted here whatever it is: the database does not know its category.
IS_SLUG = r"""slug <> '' AND slug <> 'export' AND slug !~ '^-|--|-$'
        AND slug !~ '[\u0001-\u002c\u002e\u002f\u003a-\u0060\u007b-\u00a9\u2000-\u206f\u3000-\u3003\ufeff]'"""
# The whole numbers that every JSON reader supports, and the depth of articles.limits
IS_METADATA = """NOT metadata @? 'strict $.**{32}'
        AND NOT metadata @? 'strict $.** ? (@.type() == "number"
            && (@ > 18446744073709551615 || @ < -9223372036854775808))'"""

_READABLE = f"CASE WHEN {{0}} {TIME} THEN {{0}} ELSE now() END"
_LINE = r"""coalesce(nullif(trim(regexp_replace(title,
    '[\u0001-\u001f\u007f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+', ' ', 'g')), ''), 'Untitled')"""
_BY_SQL = {
    "times": f"""UPDATE articles SET created_at = {_READABLE.format("created_at")},
        updated_at = {_READABLE.format("updated_at")} WHERE NOT (created_at {TIME} AND updated_at {TIME})""",
    "times of versions": f"UPDATE article_versions SET created_at = now() WHERE NOT created_at {TIME}",
    "titles": f"UPDATE articles SET title = {_LINE} WHERE NOT ({IS_TITLE})",
    "titles of versions": f"UPDATE article_versions SET title = {_LINE} WHERE NOT ({IS_TITLE})",
    "version numbers": "UPDATE articles SET version_number = 1 WHERE version_number < 1",
    "missing versions": """INSERT INTO article_versions (article_id, version_number, title, content, created_at)
        SELECT id, version_number, title, content, updated_at FROM articles a WHERE NOT EXISTS (
            SELECT FROM article_versions v WHERE v.article_id = a.id AND v.version_number = a.version_number
        ) ON CONFLICT (article_id, version_number) DO NOTHING""",
}


def mend(apps: Any, editor: Any) -> None:
    with editor.connection.cursor() as cursor:
        done = {"slugs": _slugs(cursor), "metadata": _metadata(cursor)}
        for what, statement in _BY_SQL.items():
            cursor.execute(statement)
            done[what] = cursor.rowcount
    if mended := ", ".join(f"{count:,} {what}" for what, count in done.items() if count):
        print(f"\n    Mended in articles: {mended}.", end="")


def _slugs(cursor: Any) -> int:
    cursor.execute(f"SELECT id, slug, title FROM articles WHERE NOT ({IS_SLUG}) ORDER BY id")
    rows = cursor.fetchall()
    for pk, slug, title in rows:
        for candidate in slugs.candidates(slug if slug.strip("/-_ ") else title):
            cursor.execute(
                "UPDATE articles SET slug = %s WHERE id = %s AND NOT EXISTS (SELECT FROM articles WHERE slug = %s)",
                [candidate, pk, candidate],
            )
            if cursor.rowcount:
                break
    return len(rows)


def _metadata(cursor: Any) -> int:
    cursor.execute(f"SELECT id, metadata::text FROM articles WHERE NOT ({IS_METADATA})")
    rows = cursor.fetchall()
    for pk, text in rows:
        kept = json.dumps({"unreadable": text}, ensure_ascii=False)
        cursor.execute("UPDATE articles SET metadata = %s::jsonb WHERE id = %s", [kept, pk])
    return len(rows)


class Migration(migrations.Migration):
    dependencies = [("articles", "0002_keywords")]
    operations = [migrations.RunPython(mend, migrations.RunPython.noop)]
