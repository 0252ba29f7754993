"""Vectors as embedding models give them: many clusters, each of few directions, with a little noise; unit length."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
_CLUSTERS, _SUBSPACES, _DIRECTIONS = 1_000, 64, 16
_SPREAD, _NOISE = 0.22, 0.02


class Data(NamedTuple):
    vectors: Matrix
    queries: Matrix


def clustered(count: int, queries: int, dimensions: int, seed: int = 5) -> Data:
    """`count` vectors, and queries from the same mixture."""
    draw = np.random.default_rng(seed)
    total = count + queries
    centres = _unit(draw.standard_normal((_CLUSTERS, dimensions), dtype=np.float32))
    bases = draw.standard_normal((_SUBSPACES, _DIRECTIONS, dimensions), dtype=np.float32) / dimensions**0.5
    label = draw.integers(0, _CLUSTERS, total)
    found = centres[label] + np.float32(_NOISE) * draw.standard_normal((total, dimensions), dtype=np.float32)
    inside = draw.standard_normal((total, _DIRECTIONS), dtype=np.float32) * np.float32(_SPREAD)
    for subspace in range(_SUBSPACES):
        members = label % _SUBSPACES == subspace
        found[members] += inside[members] @ bases[subspace].astype(np.float32)
    found = _unit(found)
    return Data(found[:count], found[count:])


def nearest_exactly(data: Data, k: int, among: npt.NDArray[np.bool_] | None = None) -> list[set[int]]:
    """The rows of the k vectors nearest to each query by cosine, among those that `among` marks."""
    rows = np.arange(len(data.vectors)) if among is None else np.flatnonzero(among)
    kept = data.vectors[rows]
    found = []
    for query in data.queries:
        similarity = kept @ query
        found.append(set(rows[np.argpartition(-similarity, min(k, len(rows) - 1))[:k]].tolist()))
    return found


def _unit(matrix: Matrix) -> Matrix:
    unit: Matrix = (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
    return unit
