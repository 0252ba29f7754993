"""The recipe of a space: everything that decides a vector; its fingerprint; and the recipe that this process has."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, Self

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from embeddings.model_catalogue import ModelSpec, own_width, spec_of
from embeddings.text.chunking import CHUNKER_VERSION
from embeddings.text.tokens import TokenCounter, counter_for, tokenizer_of
from lib.manage_command import manage

# fields of a request that change no vector
NEUTRAL_FIELDS = ("encoding_format", "user")
_IN_TEXT, _BY_FIELD, _NOWHERE = "text", "input_type", "none"
_INPUT_TYPE = "input_type"


@dataclass(frozen=True)
class Choices:
    """The operator's settings that decide vectors; a prefix that is None is the model's own. `model` is the one that
    the prefixes are of, `dimensions_sent` whether a width is asked for: auto, true or false."""

    model: str = ""
    query_prefix: str | None = None
    document_prefix: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    query_fields: Mapping[str, Any] = field(default_factory=dict)
    dimensions_sent: str = "auto"


@dataclass(frozen=True)
class Recipe:
    """`asked_dimensions`: the width that the provider is asked for, 0 for the model's own. `prefixes`: whether they are
    in the text, are the server's by an input type, or there are none."""

    provider: str
    model: str
    dimensions: int
    asked_dimensions: int
    prefixes: str
    query_prefix: str
    document_prefix: str
    fields: Mapping[str, Any]
    query_fields: Mapping[str, Any]
    tokenizer: str
    chunker: int
    chunk_tokens: int
    chunk_overlap: int
    normalization: str = "none"  # vectors are stored as they came; cosine divides by their length

    def as_json(self) -> dict[str, Any]:
        """As the row keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Raises TypeError for a recipe of another release, which has other names."""
        return cls(**kept)

    @functools.cached_property
    def fingerprint(self) -> str:
        return fingerprint_of(self.as_json())


class HasRecipe(Protocol):
    """A row that is made by a recipe: a space."""

    provider: str
    model: str
    dimensions: int
    chunk_tokens: int
    chunk_overlap: int
    recipe: Any
    fingerprint: str


def fingerprint_of(recipe: Mapping[str, Any]) -> str:
    """BLAKE2b-128 of its canonical JSON, in hexadecimal digits."""
    canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def make(
    provider: str, model: str, dimensions: int, chunk_tokens: int, chunk_overlap: int, choices: Choices
) -> Recipe:
    """The recipe that these choices give a model."""
    spec = spec_of(model, dimensions or 1)  # the database refuses a width of 0, in its own words
    is_theirs = model == choices.model
    query, document = (choices.query_prefix, choices.document_prefix) if is_theirs else (None, None)
    query_prefix = spec.query_prefix if query is None else query
    document_prefix = spec.document_prefix if document is None else document
    takes_fields = provider == "openai"
    fields = _deciding(choices.fields) if takes_fields else {}
    query_fields = _deciding(choices.query_fields) if takes_fields else {}
    is_asked = takes_fields and choices.dimensions_sent != "false" and dimensions != own_width(model)
    return Recipe(
        provider=provider,
        model=model,
        dimensions=dimensions,
        asked_dimensions=dimensions if is_asked else 0,
        prefixes=_prefixes(query_prefix + document_prefix, {**fields, **query_fields}),
        query_prefix=query_prefix,
        document_prefix=document_prefix,
        fields=fields,
        query_fields=query_fields,
        tokenizer=tokenizer_of(model),
        chunker=CHUNKER_VERSION,
        chunk_tokens=chunk_tokens,
        chunk_overlap=chunk_overlap,
    )


def _deciding(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in NEUTRAL_FIELDS}


def _prefixes(in_text: str, fields: Mapping[str, Any]) -> str:
    if in_text:
        return _IN_TEXT
    return _BY_FIELD if _INPUT_TYPE in fields else _NOWHERE


def of_settings() -> Choices:
    """What the settings of this process choose."""
    return Choices(
        settings.EMBEDDING_MODEL,
        settings.EMBEDDING_QUERY_PREFIX,
        settings.EMBEDDING_DOCUMENT_PREFIX,
        settings.EMBEDDING_EXTRA_FIELDS,
        settings.EMBEDDING_QUERY_FIELDS,
        settings.EMBEDDING_SEND_DIMENSIONS,
    )


def is_named(space: HasRecipe) -> bool:
    """Whether the settings name this space's model; only then do they decide its recipe."""
    return (space.provider, space.model) == (settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL)


def own(space: HasRecipe) -> Recipe:
    """The recipe by which this process makes vectors for a space. What the settings do not decide, because they name
    another model, the space's row does; what the code decides is the code's."""
    key = (
        space.fingerprint,
        space.provider,
        space.model,
        space.dimensions,
        space.chunk_tokens,
        space.chunk_overlap,
    )
    if (known := _own.get(key)) is None:
        known = _own[key] = _made(space)
    return known


_own: dict[tuple[Any, ...], Recipe] = {}


@receiver(setting_changed)
def forget(**_: Any) -> None:
    """Makes recipes again from the current settings (for tests that change them)."""
    _own.clear()


def _made(space: HasRecipe) -> Recipe:
    how = (space.provider, space.model, space.dimensions, space.chunk_tokens, space.chunk_overlap)
    made = make(*how, of_settings())
    if is_named(space) or not space.fingerprint:
        return made
    try:
        kept = Recipe.from_json(space.recipe)
    except TypeError:
        return made
    chosen = ("asked_dimensions", "prefixes", "query_prefix", "document_prefix", "fields", "query_fields")
    return replace(made, **{name: getattr(kept, name) for name in chosen})


# where the reader changes what differs
_SETTINGS = {
    "asked_dimensions": "EMBEDDING_SEND_DIMENSIONS",
    "query_prefix": "EMBEDDING_QUERY_PREFIX",
    "document_prefix": "EMBEDDING_DOCUMENT_PREFIX",
    "fields": "EMBEDDING_EXTRA_FIELDS",
    "query_fields": "EMBEDDING_QUERY_FIELDS",
}


def fits(space: HasRecipe) -> bool:
    """Whether this process may write vectors to the space, and search it."""
    return space.fingerprint == own(space).fingerprint


def conflict(space: HasRecipe) -> str:
    """How this process's recipe differs from the space's, in a clause for operators; empty if it does not."""
    if fits(space):
        return ""
    if not space.fingerprint:
        return "it has no recipe yet"
    kept, mine = dict(space.recipe), own(space).as_json()
    if fingerprint_of(kept) != space.fingerprint:
        return "its recipe was changed by hand and is not the one of its fingerprint"
    return "; ".join(_differences(kept, mine))


def refusal(space: HasRecipe) -> str:
    """Why this process neither embeds nor searches in a space of another recipe, and what to do: a sentence."""
    if not space.fingerprint:
        return f"Space {space} has no recipe, so nothing is embedded in it. Run: {manage('migrate')}."
    return (
        f"Space {space} has vectors of another recipe than this process makes ({conflict(space)}), so this process "
        "neither embeds nor searches by meaning in it. Restore the setting, or the release; to re-embed all articles "
        f"by the new recipe: {manage('reindex --accept-recipe')}."
    )


def _differences(kept: Mapping[str, Any], mine: Mapping[str, Any]) -> list[str]:
    names = sorted(name for name in kept.keys() | mine.keys() if kept.get(name) != mine.get(name))
    shown = [name for name in names if name != "prefixes"] or names  # it follows from the others
    return [
        f"{name.replace('_', ' ')}{_by(name)}: {kept.get(name)!r} in the space, {mine.get(name)!r} here"
        for name in shown
    ]


def _by(name: str) -> str:
    return f" ({_SETTINGS[name]})" if name in _SETTINGS else ""


def spec_and_counter(space: HasRecipe) -> tuple[ModelSpec, TokenCounter]:
    """The spec of the space's model with the recipe's prefixes, and its token counter."""
    recipe = own(space)
    spec = _spec(recipe.model, recipe.dimensions, recipe.query_prefix, recipe.document_prefix)
    return spec, counter_for(recipe.model)


@functools.cache
def _spec(model: str, dimensions: int, query_prefix: str, document_prefix: str) -> ModelSpec:
    return replace(spec_of(model, dimensions), query_prefix=query_prefix, document_prefix=document_prefix)
