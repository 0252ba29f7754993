"""Divides texts over requests so that none has more inputs or tokens than a provider takes; pure."""

from collections.abc import Iterator, Sequence


def packs(tokens: Sequence[int], max_inputs: int, max_tokens: int) -> Iterator[slice]:
    """Slices of the texts in order; each has at most `max_inputs` texts of together at most `max_tokens`.

    A single text above `max_tokens` has a pack of its own: the provider, not we, refuses it.
    """
    begin, total = 0, 0
    for index, size in enumerate(tokens):
        if index > begin and (index - begin >= max_inputs or total + size > max_tokens):
            yield slice(begin, index)
            begin, total = index, 0
        total += size
    if begin < len(tokens):
        yield slice(begin, len(tokens))
