"""Which provider serves a space; a new kind of provider is a file beside this one and a line here."""

import functools
from collections.abc import Callable

from django.conf import settings

from embeddings.models import Space
from embeddings.providers.base import Provider
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.ollama import OllamaProvider
from embeddings.providers.openai import LOCAL_LIMITS, OpenAIProvider
from embeddings.servers.local_embedder.listening import LOOPBACK


def _openai(model: str, dimensions: int) -> Provider:
    return OpenAIProvider(
        Endpoint(settings.OPENAI_BASE_URL),
        model,
        dimensions,
        api_key=settings.OPENAI_API_KEY,
        ask_dimensions=bool(settings.EMBEDDING_DIMENSIONS),
    )


def _ollama(model: str, dimensions: int) -> Provider:
    return OllamaProvider(Endpoint(settings.OLLAMA_BASE_URL), model, dimensions)


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
