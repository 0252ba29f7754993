"""An article's embedding over HTTP: its state, and why a search by meaning finds it or not."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict

from django.http import HttpRequest
from ninja import Router

from articles.api.routes import article_or_404
from articles.api.schemas import EmbeddingState, SlugInPath
from articles.models import Article
from queueops.monitoring.article_status import explain


class TaskView(TypedDict):
    """The most relevant task: the pending or processing one, else the newest."""

    id: int
    status: str
    attempts: int
    max_attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    error_class: str
    error_message: str


class SpaceView(EmbeddingState):
    """An article in one space."""

    serving: bool
    current: bool
    task: TaskView | None
    why: str


class Explanation(TypedDict):
    """An article in every space that receives it; `why` is about the space that serves searches."""

    slug: str
    version_number: int
    mode: str
    paused: bool
    why: str
    spaces: list[SpaceView]


def build_router(*, read: Callable[[HttpRequest], Any]) -> Router:
    """The routes below /articles that depend on the queue. `read` admits callers."""
    router = Router(tags=["articles"])

    @router.get(
        "/{slug}/embedding",
        response=Explanation,
        auth=read,
        summary="Explain why an article is found by meaning",
    )
    def explain_embedding(request: HttpRequest, slug: SlugInPath) -> dict[str, Any]:
        """Its state in every space that receives it, its most relevant task, and the reason in a sentence."""
        return explain(article_or_404(slug, Article.objects.defer("content")))

    return router
