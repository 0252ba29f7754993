"""Articles and their history in the admin."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from articles.models import Article, ArticleVersion, Provenance, SlugTaken
from articles.text_search import parse
from lib.admin_base import BigTableAdmin, ReadOnly, row_id
from lib.nfc import nfc
from lib.visible_text import readable

# Three ways to an article, each by its index; matches of a word that everything holds are cut off.
_FOUND = """
    (SELECT id FROM articles WHERE keywords @@ to_tsquery('english', %s) LIMIT 10000)
    UNION SELECT id FROM articles WHERE slug LIKE %s
    UNION SELECT id FROM articles WHERE id = %s
"""


class ArticleForm(forms.ModelForm[Article]):
    """Refuses to overwrite what someone else saved while this form was open."""

    read_at = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Article
        fields = ["title", "slug", "content", "metadata"]
        widgets = {
            "content": UnfoldAdminTextareaWidget(attrs={"rows": 18}),
            "metadata": UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        }
        help_texts = {"slug": "The article's address; made from the title when left empty."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["read_at"].initial = self.instance.updated_at.isoformat()

    def clean_title(self) -> str:
        """In the form it is saved in, so that its length is checked as it is kept."""
        return nfc(self.cleaned_data["title"])

    def clean_slug(self) -> str:
        """An article that has an address keeps it when the field is emptied."""
        slug = nfc(self.cleaned_data["slug"])
        return (
            slug or Article.objects.filter(pk=self.instance.pk).values_list("slug", flat=True).first() or ""
        )

    def clean_read_at(self) -> str:
        read_at: str = self.cleaned_data["read_at"]
        if self.instance.pk and read_at != self.instance.updated_at.isoformat():
            raise forms.ValidationError(
                "Somebody saved this article while you were editing it. Copy your text, reload, and put it in again."
            )
        return read_at


@admin.register(Article)
class ArticleAdmin(BigTableAdmin):
    form = ArticleForm
    fieldsets = (
        (None, {"fields": ("title", "slug", "content", "metadata", "read_at")}),
        ("History", {"fields": ("version_number", "history", "imported_from", "created_at", "updated_at")}),
    )
    readonly_fields = ("version_number", "history", "imported_from", "created_at", "updated_at")
    list_display: tuple[str, ...] = ("shown_title", "slug", "version_number", "updated_at")
    list_filter = (("updated_at", RangeDateTimeFilter), ("created_at", RangeDateTimeFilter))
    list_filter_submit = True
    ordering = ("-created_at", "-id")
    sortable_by = ("shown_title",)
    search_fields = ("slug",)
    search_help_text = "words of the text, the beginning of a slug, or an id"
    kept_off_lists = ("content", "metadata")
    warn_unsaved_form = True

    def get_fieldsets(self, request: HttpRequest, obj: Article | None = None) -> Any:
        """Without the history of an article that is not saved yet."""
        return self.fieldsets if obj else self.fieldsets[:1]

    @display(description="title")
    def shown_title(self, article: Article) -> str:
        return readable(article.title if len(article.title) <= 80 else f"{article.title[:79]}…")

    @display(description="versions")
    def history(self, article: Article) -> str:
        if not article.pk:
            return "-"
        url = reverse("admin:articles_articleversion_changelist", query={"article__exact": article.pk})
        return format_html('<a href="{}">every text this article has had</a>', url)

    @display(description="imported from")
    def imported_from(self, article: Article) -> str:
        known = Provenance.objects.filter(article=article).first()
        return readable(str(known)) if known else "-"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Article], search_term: str
    ) -> tuple[QuerySet[Article], bool]:
        term = nfc(search_term.replace("\x00", "").strip()[:200])
        if not term:
            return queryset, False
        prefix = term.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        found = RawSQL(_FOUND, (parse(term).all_words, prefix, row_id(term)))  # noqa: S611  the text is ours
        return queryset.filter(pk__in=found), False

    def get_view_on_site_url(self, obj: Article | None = None) -> str | None:
        try:
            return reverse("article", args=[obj.slug]) if obj else None
        except NoReverseMatch:  # a slug that no address can hold, of a row older than the database's checks
            return None

    def get_deleted_objects(
        self, objs: Iterable[Article], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What a deletion removes too. History, vectors and tasks go with their article, whose right to delete covers
        them; they are not collected, since there may be many."""
        named = [
            f"{readable(article.title)} ({readable(article.slug)}), its versions, vectors and tasks"
            for article in objs
        ]
        return named, {"articles": len(named)}, set(), []

    def save_model(
        self, request: HttpRequest, obj: Article, form: forms.ModelForm[Article], change: bool
    ) -> None:
        obj.save(author=request.user.get_username())

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except SlugTaken as taken:  # someone took it between the form's check and the write
            messages.error(request, str(taken))
            return HttpResponseRedirect(request.get_full_path())
        return response


@admin.register(ArticleVersion)
class ArticleVersionAdmin(ReadOnly, BigTableAdmin):
    fields = ("article", "version_number", "title", "content", "created_at", "author")
    list_display = ("title", "version_number", "author", "created_at")
    list_filter = (("created_at", RangeDateTimeFilter),)
    list_filter_submit = True
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("article__slug",)
    search_help_text = "an article's id, or the beginning of its slug"
    kept_off_lists = ("content",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ArticleVersion], search_term: str
    ) -> tuple[QuerySet[ArticleVersion], bool]:
        return queryset.filter(article__in=articles_like(search_term)) if search_term else queryset, False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "article__exact" or super().lookup_allowed(lookup, value, request)


def articles_like(term: str) -> QuerySet[Article]:
    """Articles by id or by the beginning of their slug, for the search boxes of what hangs on an article."""
    term = term.replace("\x00", "").strip()[:200]
    pk = row_id(term)
    found = Q(slug__startswith=term.lower()) if pk is None else Q(pk=pk) | Q(slug__startswith=term)
    return Article.objects.filter(found)
