"""The list of articles with their embedding state; articles/ cannot have it, since it must not import the queue."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from articles.admin import ArticleAdmin
from articles.models import Article
from queueops.monitoring.article_status import embedding_states

admin.site.unregister(Article)

LABELS = {
    "embedded": "success",
    "pending": "info",
    "processing": "info",
    "behind": "warning",
    "cancelled": "warning",
    "failed": "danger",
}


@admin.register(Article)
class ArticleWithStateAdmin(ArticleAdmin):
    list_display = ("shown_title", "embedding", "slug", "version_number", "updated_at")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list with the state of each row on the page, in one query."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        states = embedding_states(rows)
        for article in rows:
            article.state = states[article.pk]["state"]
        changelist.result_list = rows
        return changelist

    @display(description="embedding", label=LABELS)
    def embedding(self, article: Any) -> str:
        return str(article.state)
