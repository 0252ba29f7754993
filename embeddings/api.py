"""Search over HTTP: the request and the reply."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from articles.api.schemas import VISIBLE, Request, WholeNumber, checked
from articles.bounds import check_json_object
from embeddings.search import Hit, SearchMode, search

MAX_QUERY = 1_000
MAX_K = 100
MAX_FILTER_BYTES = 4_096

type Mode = Literal["semantic", "keyword", "hybrid"]


def check_query(query: str) -> None:
    """Raises ValidationError with a sentence if the query is empty or too long."""
    if not query.strip():
        raise ValidationError("query is empty: give at least one character")
    if len(query) > MAX_QUERY:
        raise ValidationError(f"query is longer than {MAX_QUERY:,} characters (it has {len(query):,})")
    if "\x00" in query:
        raise ValidationError("query holds the character '\\x00', which is not allowed in a text")


def check_filter(metadata: dict[str, Any]) -> None:
    """Raises ValidationError with a sentence if the filter is too large, or contains values that metadata cannot."""
    check_json_object("filter", metadata, MAX_FILTER_BYTES)


Query = Annotated[
    str,
    checked(check_query),
    Field(
        description="the text to search for",
        json_schema_extra={"minLength": 1, "maxLength": MAX_QUERY, "pattern": VISIBLE},
    ),
]
Filter = Annotated[
    dict[str, Any],
    checked(check_filter),
    Field(description="only articles whose metadata contains this object"),
]


class SearchRequest(Request):
    """A search request."""

    query: Query
    k: WholeNumber = Field(default=10, ge=1, le=MAX_K, description="maximum number of articles returned")
    mode: Mode = Field(default="semantic", description="by meaning, by keywords, or both")
    filter: Filter = Field(default_factory=dict)


class ResultView(TypedDict):
    """An article with its best chunk, `start` to `end` in the content of version `version_number`. `snippet` is that
    text from its first word on, at most 4,000 characters."""

    slug: str
    title: str
    score: float
    snippet: str
    start: int
    end: int
    version_number: int
    metadata: dict[str, Any]


class SearchReply(TypedDict):
    """The best articles first. If the reply is `degraded`, `answered_by` differs from `mode` and `reason` is a
    sentence."""

    results: list[ResultView]
    mode: Mode
    answered_by: Mode
    space: str | None
    path: str
    degraded: bool
    reason: str
    timing_ms: dict[str, float]


def build_router(*, read: Callable[[HttpRequest], Any]) -> Router:
    """The route /search. `read` admits callers."""
    router = Router(tags=["search"])

    @router.post(
        "", response=SearchReply, auth=read, summary="Find articles by meaning, by keywords, or both"
    )
    def search_articles(request: HttpRequest, question: SearchRequest) -> dict[str, Any]:
        """The best articles first, each with its best passage. While the provider is down, a search by meaning becomes
        one by keywords, and the reply says so (`degraded`)."""
        reply = search(
            question.query.strip(),
            k=question.k,
            mode=SearchMode(question.mode),
            filter=question.filter or None,
        )
        return {
            "results": [_result(hit) for hit in reply.hits],
            "mode": reply.mode.value,
            "answered_by": reply.answered_by.value,
            "space": reply.space,
            "path": reply.path,
            "degraded": reply.degraded,
            "reason": reply.reason,
            "timing_ms": reply.timing_ms,
        }

    return router


def _result(hit: Hit) -> ResultView:
    return {
        "slug": hit.slug,
        "title": hit.title,
        "score": hit.score,
        "snippet": hit.snippet,
        "start": hit.start,
        "end": hit.end,
        "version_number": hit.version_number,
        "metadata": hit.metadata,
    }
