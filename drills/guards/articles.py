"""Guards of articles and their versions, written past save() too."""

from drills.guards.mutation import Mutation

MUTATIONS = (
    Mutation(
        "articles: a save of other fields is no new text",
        "articles/models.py",
        "return fields if update_fields is None else fields & set(update_fields)",
        "return fields",
        ("tests/articles/test_by_hand.py",),
    ),
    Mutation(
        "import: an entry is the article that was imported from it",
        "articles/importing/identity.py",
        "{entries[place - 1]: slug for place, slug in cursor.fetchall()}",
        "{entries[place - 1]: slug for place, slug in cursor.fetchall() if place < 0}",
        ("tests/articles/importing/test_identity.py",),
    ),
    Mutation(
        "import: an article of the same title is not taken over",
        "articles/importing/identity.py",
        "is_nobodys and (is_same or bool(drafts[place - 1].slug))",
        "is_nobodys",
        ("tests/articles/importing/test_identity.py",),
    ),
    Mutation(
        "import: a slug taken meanwhile is not written over",
        "articles/importing/writer.py",
        "AND held.slug <> ALL(%s::text[])",
        "AND (held.slug <> ALL(%s::text[]) OR true)",
        ("tests/articles/importing/test_identity.py",),
    ),
    Mutation(
        "letters: texts are saved in the composed form",
        "articles/models.py",
        "        self._compose()\n",
        "",
        ("tests/articles/test_models.py",),
    ),
    Mutation(
        "keywords: marks are cut before Postgres sorts them",
        "articles/migrations/0005_keyword_letters.py",
        "        words := regexp_replace(words, '([^\\u0001-\\u007f]{{100}})', '\\1 ', 'g');\n",
        "",
        ("tests/articles/test_keyword_letters.py",),
    ),
    Mutation(
        "filters: an unknown field is refused",
        "articles/filters/parse.py",
        "    if name not in known:\n",
        "    if name not in known:\n        return\n    if name not in known:\n",
        ("tests/articles/filters/test_parse.py", "tests/embeddings/test_api.py"),
    ),
    Mutation(
        "filters: a value of another type is missing",
        "articles/filters/fields.py",
        "(CASE WHEN jsonb_typeof(metadata -> {name}) = 'string' THEN left(",
        "(CASE WHEN metadata ? {name} THEN left(",
        ("tests/articles/filters/test_statement.py",),
    ),
    Mutation(
        "filters: an index entry is never too large",
        "articles/filters/fields.py",
        " AND length(metadata ->> {name}) <= {digits}",
        "",
        ("tests/articles/filters/test_statement.py",),
    ),
    Mutation(
        "filters: a date without a zone is UTC",
        "articles/migrations/0008_filter_dates.py",
        "coalesce(found[3], 'Z')",
        "coalesce(found[3], '')",
        ("tests/articles/filters/test_statement.py",),
    ),
)
