"""Which provider serves a space; a new kind of provider is a file beside this one and a line here."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings

from embeddings import recipes
from embeddings.models import Space
from embeddings.providers import proxies
from embeddings.providers.base import Limits, Provider
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.ollama import OLLAMA_LIMITS, OllamaProvider
from embeddings.providers.openai import LOCAL_LIMITS, OPENAI_LIMITS, OpenAIProvider, fields_of
from embeddings.recipes import NEUTRAL_FIELDS
from embeddings.servers.local_embedder.listening import LOOPBACK


def _openai(space: Space) -> Provider:
    recipe, is_demanded = recipes.own(space), settings.EMBEDDING_SEND_DIMENSIONS == "true"
    return OpenAIProvider(
        _remote(settings.OPENAI_BASE_URL),
        space.model,
        space.dimensions,
        headers=_key_headers(),
        limits=_limited(OPENAI_LIMITS),
        fields=fields_of(
            space.dimensions if is_demanded else recipe.asked_dimensions,
            is_demanded=is_demanded,
            extra={**_neutral(settings.EMBEDDING_EXTRA_FIELDS), **recipe.fields},
            query={**_neutral(settings.EMBEDDING_QUERY_FIELDS), **recipe.query_fields},
        ),
    )


def _neutral(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in NEUTRAL_FIELDS}


def _key_headers() -> dict[str, str]:
    """The key as the server expects it: Azure, known by the api-version in its address, has a header of its own."""
    key = settings.OPENAI_API_KEY
    if not key or any(name.lower() == "authorization" for name, _ in settings.EMBEDDING_HEADERS):
        return {}
    return (
        {"api-key": key} if "api-version=" in settings.OPENAI_BASE_URL else {"authorization": f"Bearer {key}"}
    )


def _ollama(space: Space) -> Provider:
    base, limits = _remote(settings.OLLAMA_BASE_URL), _limited(OLLAMA_LIMITS)
    return OllamaProvider(base, space.model, space.dimensions, limits)


def _limited(limits: Limits) -> Limits:
    """The limits of a kind of provider within those of the settings."""
    most = settings.EMBEDDING_MAX_INPUTS or limits.max_inputs
    return replace(limits, max_inputs=min(most, limits.max_inputs))


def _remote(url: str) -> Endpoint:
    """A server of the operator's, by the settings for all of them."""
    return Endpoint(
        url,
        extra=tuple(settings.EMBEDDING_HEADERS),
        proxy=proxies.for_url(url, settings.EMBEDDING_PROXY),
        ca_file=settings.EMBEDDING_CA_FILE,
    )


def _local(space: Space) -> Provider:
    return OpenAIProvider(_local_endpoint(), space.model, space.dimensions, limits=LOCAL_LIMITS)


def _local_endpoint() -> Endpoint:
    """A loopback port if one is set, the installation's Unix socket otherwise."""
    if settings.LOCAL_EMBEDDER_PORT:
        url = f"http://{LOOPBACK}:{settings.LOCAL_EMBEDDER_PORT}/v1"
        return Endpoint(url, secret=settings.LOCAL_EMBEDDER_SECRET)
    return Endpoint("http://localhost/v1", socket=str(settings.LOCAL_EMBEDDER_SOCKET))


_KINDS: dict[str, Callable[[Space], Provider]] = {"openai": _openai, "ollama": _ollama, "local": _local}
_providers: dict[tuple[str, str, int, str], Provider] = {}
_making = threading.Lock()


def provider_of(space: Space) -> Provider:
    """The provider of a space, one instance per process and recipe."""
    key = (space.provider, space.model, space.dimensions, space.fingerprint)
    with _making:
        if (made := _providers.get(key)) is None:
            made = _providers[key] = _KINDS[space.provider](space)
        return made


def forget() -> None:
    """Creates providers again from the current settings (for tests that change them)."""
    _providers.clear()
