"""The public pages: search as you type, and one article."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from articles.models import Article
from articles.pages.markdown_blocks import blocks, plain
from embeddings.models import Space
from embeddings.search import Reply, SearchMode, search
from embeddings.storage import coverage_cache

MAX_QUERY = 1_000
RESULTS = 10
NEWEST = 6
_SHOWN_OF_SNIPPET = 1_000
MODES = [(SearchMode.SEMANTIC, "meaning"), (SearchMode.KEYWORD, "words"), (SearchMode.HYBRID, "both")]


class SearchForm(forms.Form):
    q = forms.CharField(
        max_length=MAX_QUERY,
        required=False,
        error_messages={"max_length": f"A query may have up to {MAX_QUERY:,} characters."},
    )
    mode = forms.ChoiceField(choices=MODES, required=False)

    @property
    def asked(self) -> str:
        """The query as entered, to show it again."""
        return str(self.data.get("q", ""))[:MAX_QUERY]

    @property
    def chosen(self) -> SearchMode:
        """The search mode; meaning, if none or an unknown one was chosen."""
        value = self.data.get("mode")
        return SearchMode(str(value)) if value in SearchMode else SearchMode.SEMANTIC


@require_safe
def search_page(request: HttpRequest) -> HttpResponse:
    """The page, with results if there is a query: all of it works without JavaScript."""
    form = SearchForm(request.GET)
    covered = coverage_cache.coverage(Space.objects.serving())
    numbers = {"coverage": covered, "articles": f"{covered.articles:,}", "current": f"{covered.current:,}"}
    return render(request, "pages/search.html", _answer(form) | numbers | {"form": form, "modes": MODES})


@require_safe
def search_results(request: HttpRequest) -> HttpResponse:
    """Only the results, for the script of the page."""
    form = SearchForm(request.GET)
    return render(request, "pages/results.html", _answer(form) | {"form": form})


@require_safe
def article_page(request: HttpRequest, slug: str) -> HttpResponse:
    """One article."""
    if "\x00" in slug:  # the database would refuse it
        raise Http404
    try:
        article = Article.objects.by_slug(slug)
    except Article.DoesNotExist as error:
        raise Http404 from error
    # a template would read `metadata.items` as the value of that name, which metadata may have
    shown = {"article": article, "blocks": blocks(article.content), "metadata": article.metadata.items()}
    return render(request, "pages/article.html", shown)


def _answer(form: SearchForm) -> dict[str, Any]:
    if not form.is_valid():
        return {"problem": " ".join(str(error) for errors in form.errors.values() for error in errors)}
    query = form.cleaned_data["q"]
    if not query:
        newest = Article.objects.newest_first().only("slug", "title", "updated_at")
        return {"newest": newest[:NEWEST]}
    reply = search(query, k=RESULTS, mode=form.chosen)
    return {
        "reply": reply,
        "hits": [(hit, plain(hit.snippet[:_SHOWN_OF_SNIPPET])) for hit in reply.hits],
        "answered": _answered(reply),
        "best": max((hit.score for hit in reply.hits), default=0),
    }


def _answered(reply: Reply) -> str:
    return dict(MODES)[reply.answered_by]
