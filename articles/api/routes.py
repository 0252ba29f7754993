"""Articles over HTTP: saving, reading, listing, changing, deleting, their versions and their export.

Everything above this app is passed to `build_router`: who may call, and an article's state in the
embeddings.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, cast
from urllib.parse import quote

from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Header, Query, Router, Status
from ninja.errors import HttpError

from articles import limits
from articles.api import etags, replies, schemas
from articles.api.schemas import (
    ArticleList,
    EmbeddingState,
    FullArticle,
    SavedArticle,
    SlugInPath,
    VersionInPath,
    VersionList,
    VersionSummary,
)
from articles.export import jsonl_lines
from articles.models import Article, ArticleQuerySet, ArticleVersion, SlugTaken
from lib.query_parameters import refuse_unknown

type EmbeddingOf = Callable[[Sequence[Article]], Mapping[int, EmbeddingState]]
type EmbeddingOfNew = Callable[[Article], EmbeddingState]
type Auth = Callable[[HttpRequest], Any]
type MayRead = Callable[[HttpRequest], bool]
type Reply = Callable[[HttpRequest, HttpResponse, Article], SavedArticle]

# Counting goes no further than this: people page through hundreds, not millions.
COUNT_LIMIT = 10_000

IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="write only if the ETag is still this one")
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="return 304 if this is the ETag")
]


def build_router(
    embedding_of: EmbeddingOf, embedding_of_new: EmbeddingOfNew, *, read: Auth, write: Auth, may_read: MayRead
) -> Router:
    """The routes below /articles. `embedding_of` returns the state of each article by its id, `embedding_of_new` that
    of a new one; `read` and `write` admit callers, who have a `name`; to a writer who may not read, no answer
    quotes the article."""
    router = Router(tags=["articles"])
    _add_creation(router, _replying(embedding_of_new, may_read), write)
    _add_list(router, embedding_of, read)
    _add_export(router, read)
    reply = _replying(lambda row: embedding_of([row])[row.pk], may_read)
    _add_reading(router, reply, read)
    _add_writing(router, reply, write)
    _add_versions(router, read)
    _add_restoring(router, reply, write)
    return router


def _replying(state_of: EmbeddingOfNew, may_read: MayRead) -> Reply:
    """The reply with an article and its tag: the whole article, or its key facts for a caller who may not read."""

    def reply(request: HttpRequest, response: HttpResponse, row: Article) -> SavedArticle:
        response["ETag"] = etags.etag(row.version_number, row.updated_at)
        return replies.full(row, state_of(row)) if may_read(request) else replies.written(row)

    return reply


def _add_creation(router: Router, reply: Reply, write: Auth) -> None:
    @router.post("", response={201: SavedArticle}, auth=write, summary="Save a new article")
    def create_article(
        request: HttpRequest, response: HttpResponse, article: schemas.NewArticle
    ) -> Status[SavedArticle]:
        """It is saved at once and searchable by meaning moments later: `embedding.state` says how far it is."""
        row = Article(**article.model_dump())
        try:
            row.save(author=_author(request))
        except SlugTaken as error:
            raise HttpError(409, str(error)) from error
        response["Location"] = f"{request.path}/{quote(row.slug)}"
        return Status(201, reply(request, response, row))


def _add_list(router: Router, embedding_of: EmbeddingOf, read: Auth) -> None:
    @router.get("", response=ArticleList, auth=read, summary="List articles, the newest first")
    def list_articles(request: HttpRequest, page: Query[schemas.Page]) -> ArticleList:
        """Without their contents, page by page."""
        refuse_unknown(request, schemas.Page)
        rows = list(Article.objects.newest_first().defer("content")[page.offset : page.offset + page.limit])
        states = embedding_of(rows)
        total = Article.objects.order_by()[: COUNT_LIMIT + 1].count()
        return {
            "items": [replies.summary(row, states[row.pk]) for row in rows],
            "total": min(total, COUNT_LIMIT),
            "total_is_exact": total <= COUNT_LIMIT,
            "limit": page.limit,
            "offset": page.offset,
        }


def _add_export(router: Router, read: Auth) -> None:
    lines = {"responses": {200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}}}

    @router.get("/export", auth=read, summary="Every article as JSON lines", openapi_extra=lines)
    def export_articles(request: HttpRequest) -> StreamingHttpResponse:
        """As `import_articles` reads them: one JSON object a line."""
        return StreamingHttpResponse(jsonl_lines(), content_type="application/jsonl")


def _add_reading(router: Router, reply: Reply, read: Auth) -> None:
    @router.get("/{slug}", response={200: FullArticle, 304: None}, auth=read, summary="Read an article")
    def read_article(
        request: HttpRequest, response: HttpResponse, slug: SlugInPath, if_none_match: IfNoneMatch = None
    ) -> SavedArticle | HttpResponse:
        """With its content. The ETag of the reply is for If-None-Match here and for If-Match of a write."""
        row = article_or_404(slug)
        tag = etags.etag(row.version_number, row.updated_at)
        if etags.is_known(if_none_match, tag):
            return HttpResponse(status=304, headers={"ETag": tag})
        return reply(request, response, row)


def _add_writing(router: Router, reply: Reply, write: Auth) -> None:
    @router.put("/{slug}", response=SavedArticle, auth=write, summary="Replace an article")
    def replace_article(
        request: HttpRequest,
        response: HttpResponse,
        slug: SlugInPath,
        article: schemas.WholeArticle,
        if_match: IfMatch = None,
    ) -> SavedArticle:
        """Fields left out become empty. A changed title or content is a new version."""
        row = _change(request, slug, if_match, article.model_dump())
        return reply(request, response, row)

    @router.patch("/{slug}", response=SavedArticle, auth=write, summary="Change some fields of an article")
    def patch_article(
        request: HttpRequest,
        response: HttpResponse,
        slug: SlugInPath,
        article: schemas.ArticlePatch,
        if_match: IfMatch = None,
    ) -> SavedArticle:
        """Fields left out stay as they are. A changed title or content is a new version."""
        row = _change(request, slug, if_match, article.model_dump(exclude_unset=True))
        return reply(request, response, row)

    @router.delete("/{slug}", response={204: None}, auth=write, summary="Delete an article and its versions")
    def delete_article(request: HttpRequest, slug: SlugInPath, if_match: IfMatch = None) -> Status[None]:
        """Its vectors and tasks go with it. It cannot be undone."""
        with transaction.atomic():
            _locked(slug, if_match).delete()
        return Status(204, None)


def _add_versions(router: Router, read: Auth) -> None:
    @router.get("/{slug}/versions", response=VersionList, auth=read, summary="List an article's versions")
    def list_versions(request: HttpRequest, slug: SlugInPath, page: Query[schemas.Page]) -> VersionList:
        """The newest first, without their contents, page by page."""
        refuse_unknown(request, schemas.Page)
        article = article_or_404(slug)
        rows = article.versions.defer("content")[page.offset : page.offset + page.limit]
        return {
            "items": [replies.version_summary(row) for row in rows],
            "total": article.versions.count(),
            "limit": page.limit,
            "offset": page.offset,
        }

    @router.get("/{slug}/versions/{number}", response=VersionSummary, auth=read, summary="Read a version")
    def read_version(request: HttpRequest, slug: SlugInPath, number: VersionInPath) -> VersionSummary:
        """With its content, as it was saved then."""
        article = article_or_404(slug)
        try:
            return replies.full_version(article.versions.get(version_number=number))
        except ArticleVersion.DoesNotExist as error:
            raise _no_version(slug, number) from error


def _add_restoring(router: Router, reply: Reply, write: Auth) -> None:
    @router.post(
        "/{slug}/versions/{number}/restore",
        response=SavedArticle,
        auth=write,
        summary="Make a version's text the current one",
    )
    def restore_version(
        request: HttpRequest,
        response: HttpResponse,
        slug: SlugInPath,
        number: VersionInPath,
        if_match: IfMatch = None,
    ) -> SavedArticle:
        """The restored text is a new version; the versions between stay."""
        with transaction.atomic():
            row = _locked(slug, if_match)
            try:
                row.restore(number, author=_author(request))
            except ArticleVersion.DoesNotExist as error:
                raise _no_version(slug, number) from error
        return reply(request, response, row)


def _change(request: HttpRequest, slug: str, if_match: str | None, fields: dict[str, Any]) -> Article:
    with transaction.atomic():
        row = _locked(slug, if_match)
        if fields:
            row.change(fields, author=_author(request))
    return row


def article_or_404(slug: str, articles: ArticleQuerySet | None = None) -> Article:
    """The article with this slug, among all by default. Raises a 404."""
    articles = Article.objects.all() if articles is None else articles
    try:
        # the database would choke on a NUL, which no slug has
        return articles.by_slug(slug.replace("\x00", "\ufffd"))
    except Article.DoesNotExist as error:
        raise HttpError(404, f"no article has the slug '{slug[: limits.MAX_SLUG]}'") from error


def _locked(slug: str, if_match: str | None) -> Article:
    """The article, held until the transaction ends. Raises a 404, or a 412 when If-Match names another state."""
    row = article_or_404(slug, Article.objects.locked())
    current = etags.etag(row.version_number, row.updated_at)
    if not etags.may_write(if_match, current):
        raise HttpError(
            412, f"the article has changed: its ETag is {current}; read it again and repeat your change on it"
        )
    return row


def _no_version(slug: str, number: int) -> HttpError:
    return HttpError(404, f"the article '{slug}' has no version {number}")


def _author(request: HttpRequest) -> str:
    return str(cast(Any, request).auth.name)[: limits.MAX_AUTHOR]
