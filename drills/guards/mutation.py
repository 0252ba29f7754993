"""The form of an entry: a guard, the change that removes it, and the tests that must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """`old` stands exactly once in the file at `path`; with `new` in its place, one of `tests` must fail."""

    guard: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
