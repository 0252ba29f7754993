"""Articles that hold a query's words, by Postgres' full-text index: the best passage decides."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from articles.filters import EVERYTHING, Where
from articles.text_search import Query, parse
from embeddings.search import keyword_score
from embeddings.search.keyword_score import Candidate, Scored, Wanted, Weights
from embeddings.search.reply import Found, Hit
from embeddings.search.snippet import passage_of

# Matches are counted, and read, no further than this: a word in more articles is a common one.
MATCHES_MOST = 1_000
# What the database ranks best is ranked by its passages, which costs more.
SCORED_MOST = 100
_READ_CHARACTERS = 100_000

# A word's lexeme, how many articles hold it, and how many there are: an estimate where there are many. Stop words have
# no lexeme and are left out.
_WORDS = """
SELECT asked.place, asked.query::text,
       (SELECT count(*) FROM (SELECT FROM articles a WHERE a.keywords @@ asked.query LIMIT asked.most) held),
       greatest((SELECT count(*) FROM (SELECT FROM articles LIMIT %(articles)s) few),
                (SELECT reltuples::bigint FROM pg_class WHERE oid = 'articles'::regclass))
FROM (
    SELECT place, to_tsquery('english', word) AS query, most
    FROM unnest(%(words)s::text[], %(most)s::int[]) WITH ORDINALITY AS given (word, most, place)
) asked
WHERE numnode(asked.query) > 0 ORDER BY asked.place
"""
_LEXEME = re.compile(r"'((?:[^']|'')+)'")
# a quote within a lexeme is doubled, so one after another opens none: that keeps hostile text linear
_PLACES = re.compile(r"(?<!')'((?:[^']|'')++)':([\d,]+)")
# Articles with all words, and those with a word that few hold: two plain reads of the index. For the best of them, what
# the tsvector has of the lexemes: setweight marks them, ts_filter drops the others.
_MATCHES = """
WITH matches AS MATERIALIZED (
    (SELECT id FROM articles
     WHERE keywords @@ to_tsquery('english', %(all)s)
       AND {filter} LIMIT %(most)s)
    UNION
    (SELECT id FROM articles
     WHERE keywords @@ to_tsquery('english', %(any)s)
       AND {filter} LIMIT %(most)s)
),
best AS MATERIALIZED (
    SELECT id, ts_filter(keywords, '{{a}}') AS title, ts_filter(keywords, '{{b}}') AS body,
           ts_filter(keywords, '{{c}}') AS spelled, keywords
    FROM matches JOIN articles USING (id)
    ORDER BY ts_rank(keywords, to_tsquery('english', %(ranked)s), 1) DESC, id LIMIT %(scored)s
)
SELECT id,
       tsvector_to_array(ts_filter(setweight(title, 'D', %(lexemes)s::text[]), '{{d}}')),
       ts_filter(setweight(body, 'D', %(lexemes)s::text[]), '{{d}}')::text,
       tsvector_to_array(ts_filter(setweight(spelled, 'D', %(lexemes)s::text[]), '{{d}}')),
       ARRAY(SELECT keywords @@ one FROM unnest(%(joined)s::tsquery[]) WITH ORDINALITY AS j (one, n) ORDER BY n),
       ARRAY(SELECT title @@ one FROM unnest(%(joined)s::tsquery[]) WITH ORDINALITY AS j (one, n) ORDER BY n),
       (SELECT coalesce(max(place), 0) FROM unnest(title) t, unnest(t.positions) place)
FROM best
"""
_SHOWN = """
SELECT id, slug, title, metadata, version_number, left(content, %(read)s)
FROM articles WHERE id = ANY(%(ids)s::bigint[])
"""


@dataclass(frozen=True)
class _Asked:
    """A query as the database reads it. `joined` are the tsqueries of what must stand together, `rare` the words that
    few articles hold."""

    wanted: list[Wanted]
    weights: Weights
    joined: list[str]
    rare: list[str]


@dataclass(frozen=True)
class _Match:
    article_id: int
    scored: Scored


def matching(query: str, k: int, where: Where = EVERYTHING) -> Found:
    """The k best articles for a query's words, of those that a filter keeps. Scores are from 0 to 1, whatever the query
    and the lengths of texts."""
    path = "full text, filtered" if where.is_filter else "full text"
    asked = parse(query)
    read = _read(asked)
    if read is None:
        return Found([], path)
    matches = _matches(asked, read, where)
    best = sorted(matches, key=lambda match: (-match.scored.score, match.article_id))[:k]
    return Found(_hits(best, asked), path)


def _read(asked: Query) -> _Asked | None:
    """None if nothing but stop words is asked for."""
    words = [word for item in asked.items for word in (*item.words, item.spelled) if word]
    wholes = [item.whole for item in asked.items if item.joined]
    texts = list(dict.fromkeys(words + wholes))
    # what must stand together is not counted: the database would read each article that has its words
    most = [MATCHES_MOST if text in set(words) else 0 for text in texts]
    with connection.cursor() as cursor:
        cursor.execute(_WORDS, {"words": texts, "most": most, "articles": MATCHES_MOST + 1})
        rows = cursor.fetchall()
    if not rows:
        return None
    read = {texts[place - 1]: query for place, query, _, _ in rows}
    held = {texts[place - 1]: count for place, _, count, _ in rows if most[place - 1]}
    return _weighed(asked, read, held, articles=rows[0][3])


def _weighed(asked: Query, read: dict[str, str], held: dict[str, int], articles: int) -> _Asked:
    """`read` has the tsquery of each text that has one, `held` how many articles hold a word."""
    found = {
        text: match[1].replace("''", "'")
        for text, query in read.items()
        if (match := _LEXEME.fullmatch(query))
    }
    words = {word for item in asked.items for word in item.words}
    lexeme = {text: value for text, value in found.items() if text in words}
    rarity = {text: keyword_score.rarity(count, articles) for text, count in held.items()}
    joined = {
        text: max((rarity.get(word, 0.0) for word in words_of), default=0.0)
        for text, words_of in _standing_together(asked, lexeme)
        if text in read
    }
    places = {text: place for place, text in enumerate(joined)}
    wanted = [
        Wanted(
            frozenset(lexeme[word] for word in item.words if word in lexeme),
            tuple(places[text] for text in (item.whole, *item.words) if text in places),
            item.either,
        )
        for item in asked.items
    ]
    shares = keyword_score.weights(
        {value: rarity[text] for text, value in lexeme.items()}, list(joined.values())
    )
    return _Asked(wanted, shares, [read[text] for text in joined], _rare(held))


def _standing_together(asked: Query, lexeme: dict[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The texts that are not one lexeme, each with the words whose rarity is theirs: joined words and phrases, and the
    beginning of a word."""
    for item in asked.items:
        if item.joined:
            yield item.whole, (*item.words, item.spelled)
        yield from ((word, (word,)) for word in item.words if word not in lexeme)


def _rare(held: dict[str, int]) -> list[str]:
    """The words that fewest articles hold, as many as have MATCHES_MOST matches together; one at least."""
    found: list[str] = []
    matches = 0
    for text in sorted(held, key=lambda text: held[text]):
        matches += held[text]
        if found and matches > MATCHES_MOST:
            break
        found.append(text)
    return found


def matches_sql(where: Where) -> str:
    """The statement that finds matches among the articles that a filter keeps."""
    return _MATCHES.format(filter=where.text)


def _matches(asked: Query, read: _Asked, where: Where) -> list[_Match]:
    with connection.cursor() as cursor:
        cursor.execute(
            matches_sql(where),
            {
                "all": asked.all_loosely,
                "any": asked.any_of(read.rare),
                "ranked": asked.any_word,
                "most": MATCHES_MOST,
                "scored": SCORED_MOST,
                "lexemes": list(read.weights.lexemes),
                "joined": read.joined,
                **where.values,
            },
        )
        rows = cursor.fetchall()
    return [_Match(row[0], keyword_score.score(_candidate(row), read.wanted, read.weights)) for row in rows]


def _candidate(row: tuple[Any, ...]) -> Candidate:
    _, title, body, spelled, joined, joined_in_title, last_of_title = row
    places = {
        lexeme.replace("''", "'"): [int(place) - last_of_title for place in numbers.split(",")]
        for lexeme, numbers in _PLACES.findall(body)
    }
    return Candidate(frozenset(title), places, frozenset(spelled), joined, joined_in_title)


def _hits(best: Sequence[_Match], asked: Query) -> list[Hit]:
    if not best:
        return []
    words = [word.strip("':*") for item in asked.items for word in item.words]
    with connection.cursor() as cursor:
        cursor.execute(_SHOWN, {"ids": [match.article_id for match in best], "read": _READ_CHARACTERS})
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    # an article that was deleted since is left out
    return [_hit(rows[match.article_id], match.scored, words) for match in best if match.article_id in rows]


def _hit(row: tuple[Any, ...], scored: Scored, words: Sequence[str]) -> Hit:
    slug, title, metadata, version, content = row
    start, end = passage_of(content, words, scored.passage or 0)
    return Hit(
        slug, title, round(scored.score, 6), content[start:end], start, end, version, json.loads(metadata)
    )
