"""Search over HTTP: the request and the reply."""

import time
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Router
from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from articles.api.schemas import VISIBLE, WITHOUT_NUL, Request, WholeNumber, checked, defaults_in_words
from articles.filters import InvalidFilter, where
from articles.filters.described import filter_schema, filters_in_words
from articles.limits import check_json_object
from embeddings.search import Hit, SearchMode, search
from embeddings.search.listing import newest
from lib.nfc import nfc_json

MAX_QUERY = 1_000
MAX_K = 100
MAX_FILTER_BYTES = 4_096

type Mode = Literal["semantic", "keyword", "hybrid"]
type AnsweredBy = Literal["semantic", "keyword", "hybrid", "filter"]


def check_query(query: str) -> None:
    """Raises ValidationError with a sentence if the query is too long, or holds what no text does."""
    if len(query) > MAX_QUERY:
        raise ValidationError(f"query is longer than {MAX_QUERY:,} characters (it has {len(query):,})")
    if "\x00" in query:
        raise ValidationError("query holds the character '\\x00', which is not allowed in a text")


def check_filter(metadata: dict[str, Any]) -> None:
    """Raises ValidationError with a sentence if the filter is too large, or contains values that metadata cannot."""
    check_json_object("filter", metadata, MAX_FILTER_BYTES)


def check_conditions(metadata: dict[str, Any]) -> None:
    """Raises ValidationError with a sentence if the filter asks what cannot be asked of a field."""
    try:
        where(metadata)
    except InvalidFilter as error:
        raise ValidationError(str(error)) from None


Query = Annotated[
    str,
    checked(check_query),
    Field(
        description="the text to search for; empty: the newest articles that the filter keeps",
        json_schema_extra={"maxLength": MAX_QUERY, "pattern": WITHOUT_NUL},
    ),
]
Filter = Annotated[
    dict[str, Any],
    checked(check_filter),
    AfterValidator(nfc_json),
    checked(check_conditions),
    Field(
        description=f"only articles whose metadata {filters_in_words(settings.SEARCH_FILTERS)}",
        json_schema_extra=filter_schema(settings.SEARCH_FILTERS),
    ),
]


def _query_or_filter(schema: dict[str, Any]) -> None:
    """In the document: a query, a filter, or both."""
    defaults_in_words(schema)
    schema["anyOf"] = [
        {"required": ["query"], "properties": {"query": {"pattern": VISIBLE}}},
        {"required": ["filter"], "properties": {"filter": {"minProperties": 1}}},
    ]


class SearchRequest(Request):
    """A search request."""

    model_config = ConfigDict(json_schema_extra=_query_or_filter)

    # before the query, which may be empty if there is one
    filter: Filter = Field(default_factory=dict)
    query: Query = Field(default="", validate_default=True)
    k: WholeNumber = Field(default=10, ge=1, le=MAX_K, description="maximum number of articles returned")
    mode: Mode = Field(default="semantic", description="by meaning, by keywords, or both")

    @field_validator("query")
    @classmethod
    def _asks_for_something(cls, query: str, info: ValidationInfo) -> str:
        if not query.strip() and not info.data.get(
            "filter", True
        ):  # an invalid filter has an error of its own
            raise ValueError("query is empty: give at least one character, or a filter")
        return query.strip()


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
    sentence. Without a query the filter alone answers: the newest articles first, each with the score 1."""

    results: list[ResultView]
    mode: Mode
    answered_by: AnsweredBy
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
        if not question.query:
            return _listed(question)
        reply = search(
            question.query, k=question.k, mode=SearchMode(question.mode), filter=question.filter or None
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


def _listed(question: SearchRequest) -> dict[str, Any]:
    """The reply to a filter without a query."""
    started = time.perf_counter()
    found = newest(where(question.filter), question.k)
    took = round((time.perf_counter() - started) * 1000, 2)
    return {
        "results": [_result(hit) for hit in found.hits],
        "mode": question.mode,
        "answered_by": "filter",
        "space": None,
        "path": found.path,
        "degraded": False,
        "reason": "",
        "timing_ms": {"embed": 0.0, "search": took, "total": took},
    }


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
