"""The contract of every provider: texts in, float vectors out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

# Any model embeds this: a provider that fails on it does not fail because of our text.
HARMLESS = "The quick brown fox jumps over the lazy dog."

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Limits:
    """The limits of one request, and how many tasks a worker should claim for it."""

    max_inputs: int
    max_tokens: int
    batch: int


class Provider(Protocol):
    limits: Limits

    @property
    def dialect(self) -> str:
        """The form of request in use, in words; it changes with what the provider is learned to understand."""
        ...

    def embed(self, texts: list[str], deadline: float, *, is_query: bool = False) -> Matrix:
        """One request: n texts → an (n, dimensions) matrix in their order, finite, no row zero.

        `deadline` is in seconds for the whole call; `is_query`: the texts are searches, not documents.
        Raises ProviderError.
        """
        ...
