"""Each space gets the recipe by which its vectors were made until now, so that an upgrade re-embeds nothing.

The prefixes are those of the catalogue at this version: a later release may know others, and rows are of this one.
"""

import hashlib
import json
from typing import Any

from django.conf import settings
from django.db import migrations, models
from django.db.models import Value

_E5 = ("query: ", "passage: ")
_RETRIEVE = ("Represent this sentence for searching relevant passages: ", "")
_INSTRUCT = ("Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ", "")
PREFIXES = {
    "nomic-embed-text": ("search_query: ", "search_document: "),
    "mxbai-embed-large": _RETRIEVE,
    "bge-small-en-v1.5": _RETRIEVE,
    "bge-base-en-v1.5": _RETRIEVE,
    "bge-large-en-v1.5": _RETRIEVE,
    "embeddinggemma": ("task: search result | query: ", "title: none | text: "),
    "e5-small-v2": _E5,
    "e5-base-v2": _E5,
    "e5-large-v2": _E5,
    "multilingual-e5-small": _E5,
    "multilingual-e5-base": _E5,
    "multilingual-e5-large": _E5,
    "multilingual-e5-large-instruct": _INSTRUCT,
    "snowflake-arctic-embed-m-v1.5": _RETRIEVE,
    "snowflake-arctic-embed-l-v2.0": ("query: ", ""),
    "Qwen3-Embedding-0.6B": _INSTRUCT,
}
_NEUTRAL = ("encoding_format", "user")


def recipe_of(space: Any) -> dict[str, Any]:
    from embeddings.model_catalogue import canonical, own_width

    query, document = PREFIXES.get(canonical(space.model), ("", ""))
    if space.model == settings.EMBEDDING_MODEL:
        own = settings.EMBEDDING_QUERY_PREFIX, settings.EMBEDDING_DOCUMENT_PREFIX
        query, document = query if own[0] is None else own[0], document if own[1] is None else own[1]
    is_openai = space.provider == "openai"
    fields = _deciding(settings.EMBEDDING_EXTRA_FIELDS) if is_openai else {}
    query_fields = _deciding(settings.EMBEDDING_QUERY_FIELDS) if is_openai else {}
    is_asked = is_openai and settings.EMBEDDING_SEND_DIMENSIONS != "false"
    by_field = "input_type" if "input_type" in {**fields, **query_fields} else "none"
    return {
        "provider": space.provider,
        "model": space.model,
        "dimensions": space.dimensions,
        "asked_dimensions": space.dimensions if is_asked and space.dimensions != own_width(space.model) else 0,
        "prefixes": "text" if query + document else by_field,
        "query_prefix": query,
        "document_prefix": document,
        "fields": fields,
        "query_fields": query_fields,
        "tokenizer": "wordpiece 1" if canonical(space.model) == "all-MiniLM-L6-v2" else "estimate 1",
        "chunker": 1,
        "chunk_tokens": space.chunk_tokens,
        "chunk_overlap": space.chunk_overlap,
        "normalization": "none",
    }


def _deciding(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _NEUTRAL}


def _fill(apps: Any, schema_editor: Any) -> None:
    for space in apps.get_model("embeddings", "Space").objects.all():
        space.recipe = recipe_of(space)
        canonical = json.dumps(space.recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        space.fingerprint = hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()
        space.save(update_fields=["recipe", "fingerprint"])


class Migration(migrations.Migration):
    dependencies = [("embeddings", "0004_chunks_to_embed")]

    operations = [
        migrations.AddField(
            "space",
            "recipe",
            models.JSONField(
                blank=True, db_default=Value({}, models.JSONField()), default=dict, editable=False
            ),
        ),
        migrations.AddField(
            "space",
            "fingerprint",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=32),
        ),
        migrations.RunPython(_fill, migrations.RunPython.noop),
    ]
