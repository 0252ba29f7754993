"""What measures the requests to a provider, and the one that measures nothing."""

import contextlib
import sys
from typing import Protocol


class Meter(Protocol):
    """Measures what is asked of a provider."""

    @property
    def most_tokens(self) -> int:
        """How many tokens one request may have."""
        ...

    def call(self, tokens: int) -> contextlib.AbstractContextManager[None]:
        """Entered for the length of one request with about so many tokens. Raises ProviderError where it must not be
        made now."""
        ...


class _Free:
    """No limit, at no cost."""

    most_tokens = sys.maxsize

    def call(self, tokens: int) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


FREE: Meter = _Free()
