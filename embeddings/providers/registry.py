"""Which provider serves a space; a new kind of provider is a file beside this one and a line here."""

import functools
from collections.abc import Callable
from dataclasses import replace

from django.conf import settings

from embeddings.model_catalogue import own_width
from embeddings.models import Space
from embeddings.providers import proxies
from embeddings.providers.base import Limits, Provider
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.ollama import OLLAMA_LIMITS, OllamaProvider
from embeddings.providers.openai import LOCAL_LIMITS, OPENAI_LIMITS, OpenAIProvider, fields_of
from embeddings.servers.local_embedder.listening import LOOPBACK


def _openai(model: str, dimensions: int) -> Provider:
    wish = settings.EMBEDDING_SEND_DIMENSIONS
    is_asked = wish == "true" or (wish == "auto" and dimensions != own_width(model))
    return OpenAIProvider(
        _remote(settings.OPENAI_BASE_URL),
        model,
        dimensions,
        headers=_key_headers(),
        limits=_limited(OPENAI_LIMITS),
        fields=fields_of(
            dimensions if is_asked else 0,
            is_demanded=wish == "true",
            extra=settings.EMBEDDING_EXTRA_FIELDS,
            query=settings.EMBEDDING_QUERY_FIELDS,
        ),
    )


def _key_headers() -> dict[str, str]:
    """The key as the server expects it: Azure, known by the api-version in its address, has a header of its own."""
    key = settings.OPENAI_API_KEY
    if not key or any(name.lower() == "authorization" for name, _ in settings.EMBEDDING_HEADERS):
        return {}
    return (
        {"api-key": key} if "api-version=" in settings.OPENAI_BASE_URL else {"authorization": f"Bearer {key}"}
    )


def _ollama(model: str, dimensions: int) -> Provider:
    return OllamaProvider(_remote(settings.OLLAMA_BASE_URL), model, dimensions, _limited(OLLAMA_LIMITS))


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


def _local(model: str, dimensions: int) -> Provider:
    return OpenAIProvider(_local_endpoint(), model, dimensions, limits=LOCAL_LIMITS)


def _local_endpoint() -> Endpoint:
    """A loopback port if one is set, the installation's Unix socket otherwise."""
    if settings.LOCAL_EMBEDDER_PORT:
        url = f"http://{LOOPBACK}:{settings.LOCAL_EMBEDDER_PORT}/v1"
        return Endpoint(url, secret=settings.LOCAL_EMBEDDER_SECRET)
    return Endpoint("http://localhost/v1", socket=str(settings.LOCAL_EMBEDDER_SOCKET))


_KINDS: dict[str, Callable[[str, int], Provider]] = {"openai": _openai, "ollama": _ollama, "local": _local}


@functools.cache
def _provider(kind: str, model: str, dimensions: int) -> Provider:
    return _KINDS[kind](model, dimensions)


def provider_of(space: Space) -> Provider:
    """The provider of a space, one instance per process."""
    return _provider(space.provider, space.model, space.dimensions)


def forget() -> None:
    """Creates providers again from the current settings (for tests that change them)."""
    _provider.cache_clear()
