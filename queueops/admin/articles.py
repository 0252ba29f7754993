"""The articles' list, with what the queue knows of each: the article's room cannot, since it knows nothing above it."""

from typing import Any

from django.contrib import admin
from django.db.models import Case, CharField, Exists, OuterRef, QuerySet, Subquery, Value, When
from django.http import HttpRequest
from unfold.decorators import display

from articles.admin import ArticleAdmin
from articles.models import Article
from embeddings.models import ArticleEmbedding, Space, SpaceState
from queueops.models import Status, Task

admin.site.unregister(Article)


@admin.register(Article)
class ArticleWithStateAdmin(ArticleAdmin):
    list_display = ("shown_title", "slug", "embedding_state", "version_number", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Article]:
        return with_state(super().get_queryset(request))

    @display(
        description="found by meaning",
        label={
            "yes": "success",
            "waiting": "info",
            "being embedded": "warning",
            "failed": "danger",
            "behind": "warning",
        },
    )
    def embedding_state(self, article: Any) -> str:
        return str(article.state)


def with_state(articles: QuerySet[Article]) -> QuerySet[Article]:
    """Annotates `state`, read for the rows of a page only: yes, waiting, being embedded, failed, behind."""
    serving = Space.objects.filter(state=SpaceState.SERVING).values("pk")
    current = ArticleEmbedding.objects.filter(
        article=OuterRef("pk"), space__in=serving, chunk_index=0, source_hash=OuterRef("content_hash")
    )
    tasks = Task.objects.filter(article=OuterRef("pk"), space__in=serving).order_by("-id")
    return articles.annotate(last_task=Subquery(tasks.values("status")[:1])).annotate(
        state=Case(
            When(Exists(current), then=Value("yes")),
            When(last_task=Status.PENDING, then=Value("waiting")),
            When(last_task=Status.PROCESSING, then=Value("being embedded")),
            When(last_task=Status.FAILED, then=Value("failed")),
            default=Value("behind"),
            output_field=CharField(),
        )
    )
