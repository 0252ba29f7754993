"""The embedding state on an article's page; a template tag, so that articles/ need not import the queue."""

from typing import Any

from django import template

from articles.api.schemas import EmbeddingState
from articles.models import Article
from queueops.monitoring.article_status import embedding_states, explain

register = template.Library()


@register.inclusion_tag("queueops/embedding_state.html", takes_context=True)
def embedding_state(context: dict[str, Any], article: Article) -> dict[str, str]:
    """A public sentence, and for staff the full reason, which may name tasks and providers."""
    state = embedding_states([article])[article.pk]
    user = getattr(context.get("request"), "user", None)
    tone, sentence = in_words(state)
    why = explain(article)["why"] if tone in {"waiting", "failed"} and user and user.is_staff else ""
    return {"tone": tone, "sentence": sentence, "why": why}


def in_words(state: EmbeddingState) -> tuple[str, str]:
    """(tone, sentence) of a state; the tone is ok, waiting, failed or quiet. Pure."""
    version = state["source_version"]
    match state["state"]:
        case "embedded":
            return "ok", f"Found by meaning since version {version}"
        case "empty":
            return "quiet", "Has no text to embed; found by the words of its title"
        case "pending":
            return "waiting", f"Waiting to be embedded{_until_then(state)}"
        case "processing":
            return "waiting", f"Being embedded right now{_until_then(state)}"
        case "failed":
            return "failed", f"Could not be embedded{_until_then(state)}"
        case "cancelled":
            return "failed", f"Its embedding was cancelled{_until_then(state)}"
        case "disabled":
            return "quiet", "Embedding is switched off; found by words"
        case _:
            return "waiting", f"Not embedded yet{_until_then(state)}"


def _until_then(state: EmbeddingState) -> str:
    """How searches find the article meanwhile."""
    if state["chunks"]:
        return f"; found by the meaning of version {state['source_version']}"
    return "; found by words"
