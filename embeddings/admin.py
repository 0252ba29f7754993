"""Spaces and vectors in the admin, read-only: the system writes them. A vector itself is never loaded."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from articles.admin import articles_like
from embeddings.models import ArticleEmbedding, Space, SpaceState
from lib.admin_base import BigTableAdmin, ReadOnly
from lib.admin_lists import ForeignTextAdmin
from lib.visible_text import readable


@admin.register(Space)
class SpaceAdmin(ReadOnly, ForeignTextAdmin):
    list_display = ("version", "provider", "model", "dimensions", "shown_state", "created_at", "served_at")
    ordering = ("-version",)
    list_fullwidth = True

    @display(
        description="state",
        label={
            SpaceState.BUILDING.value: "info",
            SpaceState.READY.value: "warning",
            SpaceState.STANDBY.value: "info",
            SpaceState.SERVING.value: "success",
        },
    )
    def shown_state(self, space: Space) -> str:
        return space.state


@admin.register(ArticleEmbedding)
class ArticleEmbeddingAdmin(ReadOnly, BigTableAdmin):
    fields = ("article", "space", "chunk_index", "chunk_count", "span", "source_version", "source_hash")
    list_display = ("id", "slug", "space", "chunk", "span", "source_version")
    list_display_links = ("id", "slug")
    list_filter = ("space",)
    list_select_related = ("article", "space")
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("article__slug",)
    search_help_text = "an article's id, or the beginning of its slug"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ArticleEmbedding]:
        return (
            super()
            .get_queryset(request)
            .defer("embedding", "text_hash", "article__content", "article__metadata")
        )

    @display(description="article")
    def slug(self, row: ArticleEmbedding) -> str:
        return readable(row.article.slug)

    @display(description="chunk")
    def chunk(self, row: ArticleEmbedding) -> str:
        return f"{row.chunk_index + 1} of {row.chunk_count}" if row.chunk_count else "nothing to embed"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ArticleEmbedding], search_term: str
    ) -> tuple[QuerySet[ArticleEmbedding], bool]:
        return queryset.filter(article__in=articles_like(search_term)) if search_term else queryset, False
