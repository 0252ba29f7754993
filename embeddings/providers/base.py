"""The contract of every provider: texts in, float vectors out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Limits:
    """The limits of one request, and how many tasks a worker should claim for it."""

    max_inputs: int
    max_tokens: int
    batch: int


class Provider(Protocol):
    limits: Limits

    def embed(self, texts: list[str], deadline: float) -> Matrix:
        """One request: n texts → an (n, dimensions) matrix in their order, finite, no row zero.

        `deadline` is in seconds for the whole call. Raises ProviderError.
        """
        ...
