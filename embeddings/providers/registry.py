"""Which provider serves a space; a new kind of provider is a file beside this one and a line here."""

import functools
from collections.abc import Callable

from django.conf import settings

from embeddings.models import Space
from embeddings.providers.base import Provider
from embeddings.providers.ollama import OllamaProvider
from embeddings.providers.openai import LOCAL_LIMITS, OpenAIProvider


def _openai(model: str, dimensions: int) -> Provider:
    return OpenAIProvider(
        settings.OPENAI_BASE_URL,
        model,
        dimensions,
        api_key=settings.OPENAI_API_KEY,
        ask_dimensions=bool(settings.EMBEDDING_DIMENSIONS),
    )


def _ollama(model: str, dimensions: int) -> Provider:
    return OllamaProvider(settings.OLLAMA_BASE_URL, model, dimensions)


def _local(model: str, dimensions: int) -> Provider:
    return OpenAIProvider(settings.LOCAL_EMBEDDER_URL, model, dimensions, limits=LOCAL_LIMITS)


_KINDS: dict[str, Callable[[str, int], Provider]] = {"openai": _openai, "ollama": _ollama, "local": _local}


@functools.cache
def _provider(kind: str, model: str, dimensions: int) -> Provider:
    return _KINDS[kind](model, dimensions)


def provider_of(space: Space) -> Provider:
    """The provider of a space, one instance a process."""
    return _provider(space.provider, space.model, space.dimensions)


def forget() -> None:
    """Makes providers anew from the settings as they are now (for tests that change them)."""
    _provider.cache_clear()
