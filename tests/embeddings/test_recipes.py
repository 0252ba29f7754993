"""A recipe holds everything that decides a vector; another one writes and searches nothing."""

import hashlib
import json
from importlib import import_module
from typing import Any

import pytest
from pytest_django import Settings

from embeddings import recipes
from embeddings.indexing.render import Source, render
from embeddings.model_catalogue import KNOWN
from embeddings.models import Space
from embeddings.providers.openai import OpenAIProvider
from embeddings.providers.registry import provider_of
from embeddings.recipes import Choices, Recipe, conflict, fingerprint_of, fits, make, own, refusal
from embeddings.text.chunking import chunks_of
from embeddings.text.tokens import counter_for, tokenizer_of

E5 = ("openai", "multilingual-e5-small", 384, 400, 0)


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (Choices(), {"prefixes": "text", "query_prefix": "query: ", "document_prefix": "passage: "}),
        (
            Choices("multilingual-e5-small", "q: ", None),
            {"query_prefix": "q: ", "document_prefix": "passage: "},
        ),
        (Choices("another", "q: ", "d: "), {"query_prefix": "query: ", "document_prefix": "passage: "}),
        (Choices("multilingual-e5-small", "", ""), {"prefixes": "none"}),
        (
            Choices("multilingual-e5-small", "", "", {"input_type": "passage"}, {"input_type": "query"}),
            {
                "prefixes": "input_type",
                "fields": {"input_type": "passage"},
                "query_fields": {"input_type": "query"},
            },
        ),
        (
            Choices(fields={"user": "us", "encoding_format": "float", "truncate": "END"}),
            {"fields": {"truncate": "END"}},
        ),
        (Choices(dimensions_sent="true"), {"asked_dimensions": 0}),
    ],
)
def test_the_settings_and_the_catalogue_make_it(choices: Choices, expected: dict[str, Any]) -> None:
    made = make(*E5, choices).as_json()
    assert {name: made[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("provider", "model", "sent", "asked"),
    [
        ("openai", "text-embedding-3-large", "auto", 256),
        ("openai", "text-embedding-3-large", "true", 256),
        ("openai", "text-embedding-3-large", "false", 0),
        ("openai", "somebodys-model", "auto", 256),
        ("ollama", "somebodys-model", "auto", 0),
    ],
)
def test_a_width_asked_for_is_part_of_it_where_it_is_not_the_models_own(
    provider: str, model: str, sent: str, asked: int
) -> None:
    assert make(provider, model, 256, 512, 0, Choices(dimensions_sent=sent)).asked_dimensions == asked


def test_only_openais_protocol_sends_fields() -> None:
    choices = Choices(fields={"truncate": "END"}, query_fields={"input_type": "query"})
    for kind in ("local", "ollama"):
        made = make(kind, "all-minilm", 384, 200, 0, choices)
        assert (made.fields, made.query_fields, made.prefixes) == ({}, {}, "none")


def test_a_fingerprint_is_of_the_canonical_form() -> None:
    recipe = make(*E5, Choices())
    shuffled = dict(reversed(recipe.as_json().items()))
    assert fingerprint_of(shuffled) == recipe.fingerprint
    assert Recipe.from_json(json.loads(json.dumps(recipe.as_json()))).fingerprint == recipe.fingerprint
    assert len(recipe.fingerprint) == 32


@pytest.mark.parametrize("name", make(*E5, Choices()).as_json())
def test_every_part_changes_the_fingerprint(name: str) -> None:
    recipe = make(*E5, Choices()).as_json()
    assert fingerprint_of({**recipe, name: "another"}) != fingerprint_of(recipe)


def a_space(settings: Settings, **fields: Any) -> Space:
    """One that the settings name, with the recipe that they give now."""
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL = "openai", "multilingual-e5-small"
    given = {"provider": "openai", "model": "multilingual-e5-small", "dimensions": 384, "chunk_tokens": 400}
    space = Space(**given | {"version": 1} | fields)
    space.take_own_recipe()
    return space


@pytest.mark.parametrize(
    ("name", "value", "in_words"),
    [
        (
            "EMBEDDING_QUERY_PREFIX",
            "ask: ",
            "query prefix (EMBEDDING_QUERY_PREFIX): 'query: ' in the space, 'ask: ' here",
        ),
        ("EMBEDDING_DOCUMENT_PREFIX", "", "'passage: ' in the space, '' here"),
        ("EMBEDDING_EXTRA_FIELDS", {"truncate": "END"}, "fields (EMBEDDING_EXTRA_FIELDS)"),
        ("EMBEDDING_QUERY_FIELDS", {"task": "q"}, "query fields (EMBEDDING_QUERY_FIELDS)"),
    ],
)
def test_a_changed_setting_is_another_recipe_and_named(
    settings: Settings, name: str, value: Any, in_words: str
) -> None:
    space = a_space(settings)
    assert (fits(space), conflict(space)) == (True, "")
    setattr(settings, name, value)
    assert not fits(space)
    assert in_words in conflict(space)
    assert "reindex --accept-recipe" in refusal(space)


def test_a_setting_that_changes_no_vector_keeps_the_recipe(settings: Settings) -> None:
    space = a_space(settings)
    settings.EMBEDDING_EXTRA_FIELDS = {"user": "us"}
    settings.EMBEDDING_SEND_DIMENSIONS = "true"
    assert fits(space)


@pytest.mark.parametrize(("part", "value"), [("chunker", 0), ("tokenizer", "estimate 0")])
def test_another_release_has_another_recipe(settings: Settings, part: str, value: Any) -> None:
    space = a_space(settings)
    space.recipe = {**space.recipe, part: value}
    space.fingerprint = fingerprint_of(space.recipe)
    assert not fits(space)
    assert conflict(space) == f"{part}: {value!r} in the space, {own(space).as_json()[part]!r} here"


@pytest.mark.parametrize("recipe", [{"of a": "later release"}, {}])
def test_a_recipe_with_other_parts_is_another_one(settings: Settings, recipe: dict[str, str]) -> None:
    space = a_space(settings, model="text-embedding-3-small", dimensions=1536)
    space.recipe, space.fingerprint = recipe, fingerprint_of(recipe)
    assert not fits(space)
    assert "here" in conflict(space)


def test_a_recipe_changed_by_hand_is_noticed(settings: Settings) -> None:
    space = a_space(settings)
    space.fingerprint = "0" * 32
    assert "changed by hand" in conflict(space)


def test_a_row_without_a_recipe_is_not_used(settings: Settings) -> None:
    space = a_space(settings)
    space.recipe, space.fingerprint = {}, ""
    assert not fits(space)
    assert "migrate" in refusal(space)


def test_a_space_that_the_settings_do_not_name_keeps_its_own_prefixes_and_fields(settings: Settings) -> None:
    settings.EMBEDDING_DOCUMENT_PREFIX, settings.EMBEDDING_EXTRA_FIELDS = "text: ", {"truncate": "END"}
    space = a_space(settings)
    settings.EMBEDDING_MODEL, settings.EMBEDDING_DOCUMENT_PREFIX = "text-embedding-3-small", None
    settings.EMBEDDING_EXTRA_FIELDS = {}
    assert fits(space)
    (chunk,) = render(space, Source(1, 1, "0" * 32, "T", "Words.")).chunks  # type: ignore[arg-type]
    assert chunk.text.startswith("text: ")
    provider = provider_of(space)
    assert isinstance(provider, OpenAIProvider)
    assert provider._fields.always == {"truncate": "END"}


def test_prefixes_of_the_settings_replace_the_models(settings: Settings) -> None:
    settings.EMBEDDING_QUERY_PREFIX = "search: "
    spec, _ = recipes.spec_and_counter(a_space(settings))
    assert (spec.query_prefix, spec.document_prefix) == ("search: ", "passage: ")


# A digest of what the chunker and the tokenizers make of a text with everything in it. If this fails, chunks of texts
# that are embedded already are cut in another way: raise CHUNKER_VERSION, or the tokenizer's, and put the new digest.
_TEXT = (
    "# A heading\n\n"
    + "Sentences of words, naïve and 日本語。 A long-ish one follows! \n\n" * 40
    + "x" * 3000
)
_DIGESTS = {
    "all-MiniLM-L6-v2": "bb39ef9e3c10ab1485123f10c0f8dbd0",
    "multilingual-e5-small": "a0248e9b20b358bb9472fa143319eb62",
}


@pytest.mark.parametrize("model", _DIGESTS)
def test_chunks_of_another_cut_need_another_version(model: str) -> None:
    count = counter_for(model)
    chunks = chunks_of("A title", _TEXT, budget=100, overlap=10, count=count, prefix="passage: ")
    made = repr([tokenizer_of(model), *(tuple(chunk) for chunk in chunks)])
    assert hashlib.blake2b(made.encode(), digest_size=16).hexdigest() == _DIGESTS[model]


def test_the_migration_gives_rows_the_recipe_that_this_release_makes(settings: Settings) -> None:

    recipe_of = import_module("embeddings.migrations.0005_recipes").recipe_of
    settings.EMBEDDING_MODEL, settings.EMBEDDING_DOCUMENT_PREFIX = "gte-small", "d: "
    settings.EMBEDDING_EXTRA_FIELDS = {"input_type": "passage", "user": "us"}
    for provider in ("local", "openai", "ollama"):
        for model, spec in {**KNOWN, "somebodys-model": KNOWN["gte-base"]}.items():
            space = Space(
                provider=provider, model=model, dimensions=spec.dimensions, chunk_tokens=spec.chunk_tokens
            )
            assert recipe_of(space) == own(space).as_json(), (provider, model)
