"""What a migration finds and what it would take: counts are exact, all else is an estimate on a sample of the texts."""

import math
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum

from articles.models import Article
from embeddings.indexing.render import Source, render
from embeddings.model_catalogue import price_of
from embeddings.models import ArticleEmbedding, Space, SpaceState
from embeddings.providers.registry import provider_of
from embeddings.recipes import spec_and_counter
from queueops.models import Task
from queueops.monitoring.article_filter import ArticleFilter, is_behind
from queueops.operate.backfill import sizing, throughput
from queueops.worker import drain

# of the sample: articles, and bytes of text that are read and cut to pieces for it
_SAMPLE, _SAMPLE_BYTES = 50, 2_000_000


@dataclass(frozen=True)
class CorpusReading:
    """How the articles of a scope stand in a space: `current` have the vectors of their present text, `behind` those of
    an earlier one, `without` have none. `waiting` counts tasks, and `failed` the articles whose present text was given
    up."""

    space: int
    name: str
    serves: bool
    articles: int
    current: int
    behind: int
    without: int
    waiting: int
    failed: int


@dataclass(frozen=True)
class Estimate:
    """What embedding these articles in a space takes. `sampled` of them were cut to chunks, and the rest is judged by
    its length. `price` is in dollars for a million tokens, None where it is not known; `per_second` is how many chunks
    workers have embedded lately, None where nothing was measured. `index_bytes` is of disk, and of memory while people
    search; `build_bytes` is of memory while the index is built. `space` is None for one that is not created yet."""

    space: int | None
    articles: int
    sampled: int
    chunks: int
    tokens: int
    requests: int
    price: float | None
    cost: float | None
    per_second: float | None
    batches_measured: int
    seconds: float | None
    table_bytes: int
    index_bytes: int
    build_bytes: int


def standings(scope: ArticleFilter) -> list[CorpusReading]:
    """One for each space that receives changes, the serving one first."""
    return [_standing(scope, space) for space in Space.objects.receiving()]


def estimates(scope: ArticleFilter) -> list[Estimate]:
    """What the articles whose turn it is would take, in each space that receives changes."""
    turn = Article.objects.filter(pk__in=scope.turn().values("pk"))
    return [estimate(space, turn.filter(is_behind(space))) for space in Space.objects.receiving()]


def estimate(space: Space, articles: QuerySet[Article]) -> Estimate:
    """What embedding these articles in the space would take."""
    totals = articles.aggregate(count=Count("*"), size=Sum(_SIZE))
    count, size = totals["count"], totals["size"] or 0
    sample = _sample(space, articles)
    scale = size / sample.size if sample.size else 0.0
    chunks, tokens = math.ceil(sample.chunks * scale), math.ceil(sample.tokens * scale)
    price = price_of(space.provider, space.model, settings.EMBEDDING_PRICES)
    measured = throughput.measured(space.pk)
    return Estimate(
        space=space.pk,
        articles=count,
        sampled=sample.articles,
        chunks=chunks,
        tokens=tokens,
        requests=_requests(space, count, chunks, tokens),
        price=price,
        cost=None if price is None else tokens / 1_000_000 * price,
        per_second=measured.per_second if measured else None,
        batches_measured=measured.batches if measured else 0,
        seconds=chunks / measured.per_second if measured else None,
        table_bytes=sizing.table_bytes(space.dimensions, chunks),
        index_bytes=sizing.index_bytes(space.dimensions, chunks),
        build_bytes=sizing.build_bytes(space.dimensions, chunks),
    )


_SIZE: Func = Func(
    F("title"),
    F("content"),
    template="(octet_length(%(expressions)s))",
    arg_joiner=") + octet_length(",
    output_field=IntegerField(),
)


def _embedded_hash(space: Space) -> Subquery:
    rows = ArticleEmbedding.objects.filter(space=space, chunk_index=0, article=OuterRef("pk"))
    return Subquery(rows.values("source_hash")[:1])


def _standing(scope: ArticleFilter, space: Space) -> CorpusReading:
    marked = scope.fitting().annotate(embedded=_embedded_hash(space))
    counted = marked.aggregate(
        articles=Count("*"),
        current=Count("pk", filter=Q(embedded=F("content_hash"))),
        without=Count("pk", filter=Q(embedded=None)),
    )
    tasks = Task.objects.filter(space=space)
    if scope.metadata is not None or scope.slug:
        tasks = tasks.filter(article__in=scope.fitting())
    return CorpusReading(
        space=space.pk,
        name=str(space),
        serves=space.state == SpaceState.SERVING,
        behind=counted["articles"] - counted["current"] - counted["without"],
        waiting=tasks.live().count(),
        failed=scope.given_up_in(space).count(),
        **counted,
    )


@dataclass
class _Sample:
    articles: int = 0
    size: int = 0
    chunks: int = 0
    tokens: int = 0


def _sample(space: Space, articles: QuerySet[Article]) -> _Sample:
    """Some articles at random, cut to chunks as a worker would."""
    _, count = spec_and_counter(space)
    chosen = Article.objects.filter(pk__in=articles.values("pk")).order_by("?").annotate(size=_SIZE)
    found = _Sample()
    for *source, size in chosen.values_list(*_SOURCE, "size")[:_SAMPLE].iterator(chunk_size=5):
        rendered = render(space, Source(*source))
        found.articles += 1
        found.size += size
        found.chunks += len(rendered.chunks)
        found.tokens += sum(count(chunk.text) for chunk in rendered.chunks)
        if found.size >= _SAMPLE_BYTES:
            break
    return found


_SOURCE = ("id", "version_number", "content_hash", "title", "content")


def _requests(space: Space, articles: int, chunks: int, tokens: int) -> int:
    """As many as the tightest of three bounds asks for: tasks a claim, texts a request, tokens a request."""
    limits = provider_of(space).limits
    bounds = ((articles, drain.batch_size(space)), (chunks, limits.max_inputs), (tokens, limits.max_tokens))
    return max(math.ceil(amount / most) for amount, most in bounds)
