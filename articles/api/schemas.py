"""The shapes of the article API: requests with their limits, and replies."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from django.core.exceptions import ValidationError
from ninja import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from articles import limits
from lib.nfc import nfc, nfc_json

MAX_LIMIT = 100
MAX_OFFSET = 100_000
MAX_VERSION = 2**31 - 1

# Our checks as JSON Schema; the checks themselves return sentences.
WITHOUT_NUL = r"^[^\u0000]*$"
ONE_LINE = r"^[^\u0000-\u001f\u007f]*[^\s\u0000-\u001f\u007f\u0085][^\u0000-\u001f\u007f]*$"
VISIBLE = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"


def checked[T](check: Callable[[T], None]) -> AfterValidator:
    """A check of `limits` as pydantic takes it."""

    def validate(value: T) -> T:
        try:
            check(value)
        except ValidationError as error:
            raise ValueError(error.message) from None
        return value

    return AfterValidator(validate)


def _without_fraction(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# 5.0 is a whole number in JSON
WholeNumber = Annotated[int, BeforeValidator(_without_fraction)]
# again after the composition, which makes some texts longer
Slug = Annotated[
    str,
    checked(limits.check_slug),
    AfterValidator(nfc),
    checked(limits.check_slug),
    Field(
        description="lower-case letters and digits of any script, joined by single hyphens",
        json_schema_extra={
            "minLength": 1,
            "maxLength": limits.MAX_SLUG,
            "pattern": limits.SLUG_PATTERN,
        },
    ),
]
Title = Annotated[
    str,
    checked(limits.check_title),
    AfterValidator(nfc),
    checked(limits.check_title),
    Field(
        description="one line of text",
        json_schema_extra={"minLength": 1, "maxLength": limits.MAX_TITLE, "pattern": ONE_LINE},
    ),
]
Content = Annotated[
    str,
    checked(limits.check_content),
    AfterValidator(nfc),
    Field(json_schema_extra={"maxLength": limits.MAX_CONTENT, "pattern": WITHOUT_NUL}),
]
Metadata = Annotated[
    dict[str, Any],
    checked(limits.check_metadata),
    AfterValidator(nfc_json),
    Field(
        description=f"any JSON object of up to {limits.MAX_METADATA_BYTES:,} bytes; its numbers fit into "
        "64 bits, its texts hold no NUL"
    ),
]

_SLUG_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": limits.MAX_SLUG,
    "pattern": limits.SLUG_PATTERN,
}
SlugInPath = Annotated[str, WithJsonSchema(_SLUG_SCHEMA), Path(description="the article's slug")]
VersionInPath = Annotated[int, Path(ge=1, le=MAX_VERSION, description="the version's number")]


def defaults_in_words(schema: dict[str, Any]) -> None:
    """Generators of clients take a field with a default for one that is always sent."""
    for field in schema["properties"].values():
        if "default" in field:
            said = f"{field.pop('default')!s} if omitted".lower()
            field["description"] = f"{field['description']}; {said}" if "description" in field else said


class Request(BaseModel):
    """A JSON object without unknown fields and without silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=defaults_in_words)


class NewArticle(Request):
    """An article to be saved. Without a slug it gets one made from its title."""

    title: Title
    content: Content = Field(default_factory=str)
    metadata: Metadata = Field(default_factory=dict)
    slug: Slug = Field(default_factory=str)


class WholeArticle(Request):
    """The replacement of an article; omitted fields become empty."""

    title: Title
    content: Content = Field(default_factory=str)
    metadata: Metadata = Field(default_factory=dict)


class ArticlePatch(Request):
    """The fields that change; those left out stay as they are."""

    title: Title = Field(default_factory=str)
    content: Content = Field(default_factory=str)
    metadata: Metadata = Field(default_factory=dict)


class Page(BaseModel):
    """The requested part of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=MAX_LIMIT)
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)


type State = Literal[
    "pending", "processing", "embedded", "empty", "failed", "cancelled", "behind", "disabled"
]


class EmbeddingState(TypedDict):
    """An article's state in the serving space (or the newest, before one serves)."""

    state: State
    space: str | None  # provider/model vN; null when there is none
    source_version: int | None  # the version that searches find now; null when none is found by meaning
    chunks: int


class ArticleSummary(TypedDict):
    """An article as lists show it, without its content."""

    slug: str
    title: str
    metadata: dict[str, Any]
    version_number: int
    created_at: datetime
    updated_at: datetime
    embedding: EmbeddingState


class FullArticle(ArticleSummary):
    """An article with its content."""

    content: str


class WrittenArticle(TypedDict):
    """The reply to a write whose token lacks the scope `read`: none of the article's text."""

    slug: str
    version_number: int
    created_at: datetime
    updated_at: datetime


type SavedArticle = FullArticle | WrittenArticle


class ArticleList(TypedDict):
    """A part of all articles, the newest first. `total` stops counting where `total_is_exact` is false."""

    items: list[ArticleSummary]
    total: int
    total_is_exact: bool
    limit: int
    offset: int


class VersionSummary(TypedDict):
    """One revision of an article; `content` only for a single version."""

    version_number: int
    title: str
    created_at: datetime
    author: str
    content: NotRequired[str]


class VersionList(TypedDict):
    """A part of an article's versions, the newest first."""

    items: list[VersionSummary]
    total: int
    limit: int
    offset: int
