"""The provider: one short text embedded for each space that receives texts, as a worker would."""

import time
from collections.abc import Iterator

import numpy as np
from django.db import DatabaseError, InterfaceError

from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.registry import provider_of
from embeddings.search.query_vector import DEADLINE_SECONDS
from lib.manage_command import manage
from queueops.operate.checks import configuration
from queueops.operate.checks.finding import Finding, fail, ok, warn

_TEXT = "A short text, to see whether the provider answers."
_PATIENCE_SECONDS = 30.0
_FIXES = {
    ErrorClass.PROVIDER_DOWN: f"Start it (the local one: {manage('runstack')}, or {manage('serve_embedder')}), or "
    "correct its address (OLLAMA_BASE_URL, OPENAI_BASE_URL) and model.",
    ErrorClass.AUTH: "Correct the key or the account: OPENAI_API_KEY, quota, payment.",
    ErrorClass.RATE_LIMITED: "Wait, or set EMBEDDING_REQUESTS_PER_MINUTE below what the provider allows.",
    ErrorClass.INVALID_INPUT: "Check EMBEDDING_MODEL and EMBEDDING_DIMENSIONS: the provider refuses even a short text.",
}
_OTHER_FIX = "Run this check again; if it fails again, read the provider's own log."


def check() -> Iterator[Finding]:
    """One finding for each space, two where it is slow. Asks the space that the settings name where the database cannot
    say which there are."""
    for space in _spaces():
        yield from of_space(space)


def of_space(space: Space) -> Iterator[Finding]:
    """Embeds a text in a space; its vector is checked for width, and for being finite and no zero, as all are."""
    name = f"provider {space.provider}/{space.model}"
    began = time.monotonic()
    try:
        (vector,) = provider_of(space).embed([_TEXT], _PATIENCE_SECONDS)
    except ProviderError as error:
        kind = error.kind.value.replace("_", " ")
        yield fail(name, f"returns no vector ({kind}): {error}", _FIXES.get(error.kind, _OTHER_FIX))
        return
    seconds = time.monotonic() - began
    norm = float(np.linalg.norm(vector))
    yield ok(
        name, f"gave a finite vector of {len(vector)} numbers, length {norm:.3f}, in {seconds * 1000:.0f} ms"
    )
    if seconds > DEADLINE_SECONDS:
        yield warn(
            f"latency of {space.provider}",
            f"{seconds:.1f} s for one short text; a search waits {DEADLINE_SECONDS:g} s for its vector, then "
            "uses keywords",
            "Run the provider closer, on more cores, or with a smaller model. If this was its first text, run the "
            "check again.",
        )


def _spaces() -> list[Space]:
    try:
        return list(Space.objects.receiving()) or [configuration.in_settings()]
    except (DatabaseError, InterfaceError):
        return [configuration.in_settings()]
