"""Divides texts into requests within a provider's limits of inputs and tokens; pure."""

from collections.abc import Callable, Iterator, Sequence


def packs(
    tokens: Sequence[int], max_inputs: Callable[[], int], max_tokens: Callable[[], int]
) -> Iterator[slice]:
    """Slices of the texts in order; each has at most `max_inputs` texts of together at most `max_tokens`,
    which are called for each: what is known of the provider improves with every request.

    A single text above `max_tokens` gets its own request: the provider, not we, refuses it.
    """
    begin = 0
    while begin < len(tokens):
        end = _end_of_pack(tokens, begin, max_inputs(), max_tokens())
        yield slice(begin, end)
        begin = end


def _end_of_pack(tokens: Sequence[int], begin: int, max_inputs: int, max_tokens: int) -> int:
    total = tokens[begin]
    for index in range(begin + 1, len(tokens)):
        total += tokens[index]
        if index - begin >= max_inputs or total > max_tokens:
            return index
    return len(tokens)
