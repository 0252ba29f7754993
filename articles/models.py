"""Articles and their versions: the text people see, and every text it has been."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from copy import copy
from typing import Any, Self

from django.contrib.postgres.indexes import GinIndex
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, Func, Q, Value
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now
from django.db.models.lookups import Exact
from django.db.models.signals import post_save, pre_save

from articles import insert, limits
from articles.signals import articles_written
from lib.database_errors import UNIQUE, constraint, sqlstate
from lib.nfc import nfc, nfc_json

_GIVEN = ("id", "title", "content", "metadata", "version_number", "created_at", "updated_at")
_WRITE_VERSION = """
INSERT INTO article_versions (article_id, version_number, title, content, author)
SELECT id, version_number, title, content, %s FROM articles WHERE id = %s
RETURNING version_number
"""
# Only SQL by hand sets a number from here on, and the column holds few more: a number that is taken, as 1 is, becomes
# the next free one (articles/migrations/0007).
_MOST_VERSIONS = 2_000_000_000


class SlugTaken(Exception):
    """Another article has this slug."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"another article has the slug '{slug}'; choose another one, or leave it out")


class ArticleQuerySet(models.QuerySet["Article"]):
    def by_slug(self, slug: str) -> "Article":
        """The article with this slug, in whichever Unicode form the slug was given. Raises Article.DoesNotExist."""
        found = {row.slug: row for row in self.filter(slug__in={slug, nfc(slug)})}
        if not found:
            raise Article.DoesNotExist
        return found.get(slug) or found[nfc(slug)]

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def having(self, metadata: dict[str, Any]) -> Self:
        """Articles whose metadata contains this object."""
        return self.filter(metadata__contains=metadata)

    def locked(self) -> Self:
        """Rows that no other session can change or delete before this transaction ends."""
        return self.select_for_update(no_key=True)


class Article(models.Model):
    """One text with its metadata. The table also has `keywords`, a tsvector that the database generates and that
    only keyword search reads (articles/migrations/0002): as a field it would travel with every read and write."""

    slug = models.CharField(
        max_length=limits.MAX_SLUG, unique=True, blank=True, validators=[limits.check_slug]
    )
    title = models.CharField(max_length=limits.MAX_TITLE, validators=[limits.check_title])
    content = models.TextField(blank=True, default="", db_default="", validators=[limits.check_content])
    metadata = models.JSONField(
        blank=True, default=dict, db_default=Value({}, models.JSONField()), validators=[limits.check_metadata]
    )
    # 0 asks the database for version 1 with its row in article_versions (articles/migrations/0004)
    version_number = models.PositiveIntegerField(db_default=0, editable=False)
    content_hash = models.GeneratedField(
        expression=Func(
            F("title"),
            F("content"),
            function="md5",
            template="%(function)s(%(expressions)s)::uuid",
            arg_joiner=" || chr(31) || ",
        ),
        output_field=models.UUIDField(),
        db_persist=True,
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ArticleQuerySet.as_manager()

    # while it is being made: whose the first version is
    _creator: str | None = None

    class Meta:
        db_table = "articles"
        indexes = [
            # ArticleQuerySet.newest_first: the lists of the API and the admin
            models.Index(F("created_at").desc(), F("id").desc(), name="articles_newest"),
            # ArticleQuerySet.having: metadata filters of the lists and of search
            GinIndex(fields=["metadata"], opclasses=["jsonb_path_ops"], name="articles_metadata"),
        ]
        constraints = [
            models.CheckConstraint(
                name="articles_metadata_is_object",
                condition=Q(
                    Exact(
                        Func(F("metadata"), function="jsonb_typeof", output_field=models.TextField()),
                        Value("object"),
                    )
                ),
            )
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, author: str = "", **kwargs: Any) -> None:
        """Writes the article and, where its text is new, an immutable version, in one transaction; also what others
        keep beside an article: with a new one in its statement (articles/insert.py), else by `articles_written`.

        Texts, slug and metadata are written in Unicode's composed form (NFC). A missing slug is made from the title.
        Raises SlugTaken when the slug given belongs to another article.
        """
        self._compose()
        if self._state.adding:
            self._create(author, *args, **kwargs)
        else:
            self._update(author, *args, **kwargs)

    def _compose(self) -> None:
        for name in {"title", "content", "slug"} - self.get_deferred_fields():
            if isinstance(value := getattr(self, name), str):
                setattr(self, name, nfc(value))
        if (
            "metadata" not in self.get_deferred_fields()
            and (composed := nfc_json(self.metadata)) != self.metadata
        ):
            self.metadata = composed

    def change(self, fields: Mapping[str, Any], author: str = "") -> None:
        """As setting these fields, not the slug, and `save()`; for a row that `locked()` has read in this transaction,
        so that it is not read again."""
        before = copy(self)
        for name, value in fields.items():
            setattr(self, name, value)
        self._overwrite(before, author)

    def restore(self, version_number: int, author: str = "") -> None:
        """Makes an earlier version's text the current one, as a new version. Raises ArticleVersion.DoesNotExist."""
        version = self.versions.get(version_number=version_number)
        self.title, self.content = version.title, version.content
        self.save(author=author)

    def _create(self, author: str, *args: Any, **kwargs: Any) -> None:
        is_alone = not self._is_observed()
        if is_alone and not (args or kwargs):
            self._insert_alone(author)
            return
        self._creator = author
        try:
            with nullcontext() if is_alone else transaction.atomic():
                super().save(*args, **kwargs)
                # no INSERT: Django has found a row with this id, and changed it
                if self._creator is not None:
                    self._announce_edit()
        finally:
            self._creator = None

    def _is_observed(self) -> bool:
        """Whether the INSERT may not be a transaction by itself: somebody else writes or looks in between."""
        return (
            bool(self.pk)
            or not connection.get_autocommit()
            or any(signal.has_listeners(Article) for signal in (pre_save, post_save))
        )

    def _insert_alone(self, author: str) -> None:
        """As `Model.save`, where it has nothing to do but the INSERT: what it does around that costs a fifth of it."""
        for name, value in self._insert(author).items():
            setattr(self, name, value)
        self._state.db, self._state.adding = connection.alias, False

    def _announce_edit(self) -> None:
        articles_written.send(sender=Article, article_ids=[self.pk], reason="edit")

    def _do_insert(
        self, manager: Any, using: Any, fields: Any, returning_fields: Any, raw: bool
    ) -> list[Any]:
        """Django's place for the INSERT itself: ours writes the first version too. Fixtures (`raw`) bring theirs."""
        if self._creator is None:
            inserted: list[Any] = super()._do_insert(manager, using, fields, returning_fields, raw)  # type: ignore[misc]
            return inserted
        row = self._insert(self._creator)
        self._creator = None
        self.slug = row["slug"]
        return [[row[field.attname] for field in returning_fields]]

    def _insert(self, author: str) -> dict[str, Any]:
        """The row as it was written, under the first slug that could be had. Raises SlugTaken."""
        columns = {name: _or_default(getattr(self, name)) for name in _GIVEN}
        columns["version_number"] = columns["version_number"] or 1
        for slug in insert.slugs_to_try(self.slug, self.title):
            if made := insert.insert({**columns, "slug": slug}, author):
                return columns | made
        raise SlugTaken(slug)

    def _update(self, author: str, *args: Any, **kwargs: Any) -> None:
        try:
            with transaction.atomic():
                rows = Article.objects.locked().only("title", "content", "version_number")
                self._overwrite(rows.get(pk=self.pk), author, *args, **kwargs)
        except IntegrityError as error:
            if _is_slug_conflict(error):
                raise SlugTaken(self.slug) from error
            raise

    def _overwrite(self, before: "Article", author: str, *args: Any, **kwargs: Any) -> None:
        """Saves over the row as it is, which this transaction has locked."""
        written = self._text_written_by(kwargs.get("update_fields"))
        text_is_new = any(getattr(before, name) != getattr(self, name) for name in written)
        self.version_number = before.version_number
        if text_is_new:
            is_far = before.version_number >= _MOST_VERSIONS
            self.version_number = 1 if is_far else before.version_number + 1
        self.updated_at = Now()
        if (fields := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*fields, "version_number", "updated_at"}
        super().save(*args, **kwargs)
        if text_is_new:
            self._write_version(author)
        self._announce_edit()

    def _text_written_by(self, update_fields: Iterable[str] | None) -> set[str]:
        """The fields of the text that a save writes: an instance may hold others that are older than their row."""
        fields = {"title", "content"} - self.get_deferred_fields()
        return fields if update_fields is None else fields & set(update_fields)

    def _write_version(self, author: str) -> None:
        with connection.cursor() as cursor:  # the text is in the database already and need not travel again
            cursor.execute(_WRITE_VERSION, [author, self.pk])
            (self.version_number,) = cursor.fetchone()


class Provenance(models.Model):
    """The entry of a source that an article was imported from: importing that entry again updates this article."""

    article = models.OneToOneField(
        Article, on_delete=models.DB_CASCADE, primary_key=True, related_name="provenance"
    )
    source = models.CharField(max_length=limits.MAX_SOURCE)
    path = models.CharField(max_length=limits.MAX_PATH)  # below the source's folder, or the id of a row

    class Meta:
        db_table = "article_provenance"
        constraints = [models.UniqueConstraint(fields=["source", "path"], name="article_provenance_entry")]

    def __str__(self) -> str:
        return f"{self.source}: {self.path}"


class ImportSource(models.Model):
    """Where the source of this name was when it was imported: another folder of the same name is another source."""

    name = models.CharField(max_length=limits.MAX_SOURCE, primary_key=True)
    location = models.TextField()

    class Meta:
        db_table = "import_sources"

    def __str__(self) -> str:
        return self.name


class ArticleVersion(models.Model):
    """One text an article has had; written once, never changed."""

    article = models.ForeignKey(Article, on_delete=models.DB_CASCADE, related_name="versions", db_index=False)
    version_number = models.PositiveIntegerField()
    title = models.CharField(max_length=limits.MAX_TITLE)
    content = models.TextField(blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    author = models.CharField(max_length=limits.MAX_AUTHOR, blank=True, default="", db_default="")

    class Meta:
        db_table = "article_versions"
        ordering = ["-version_number"]
        constraints = [
            # also serves an article's history, newest first
            models.UniqueConstraint(fields=["article", "version_number"], name="article_versions_number")
        ]

    def __str__(self) -> str:
        return f"{self.title} (version {self.version_number})"


def _is_slug_conflict(error: IntegrityError) -> bool:
    return sqlstate(error) == UNIQUE and "slug" in constraint(error)


def _or_default(value: Any) -> Any:
    """The value, or None for the database's default."""
    return None if isinstance(value, DatabaseDefault) else value
