"""The interface that measures requests to a provider, and one that measures nothing."""

import contextlib
import sys
from typing import Protocol


class Meter(Protocol):
    """Measures requests to a provider."""

    @property
    def most_tokens(self) -> int:
        """How many tokens one request may have."""
        ...

    def call(self, tokens: int) -> contextlib.AbstractContextManager[None]:
        """Entered for the duration of one request of about so many tokens. Raises ProviderError if it must not be sent
        now."""
        ...


class _Free:
    """No limit, at no cost."""

    most_tokens = sys.maxsize

    def call(self, tokens: int) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


FREE: Meter = _Free()
