"""Long array parameters written as one text each: the driver would look at every element by itself, which shows."""

from collections.abc import Iterable


def of_integers(values: Iterable[int]) -> str:
    """For `%s::bigint[]`."""
    return f"{{{','.join(map(str, values))}}}"


def of_bytes(values: Iterable[bytes]) -> str:
    """For `%s::bytea[]`."""
    return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"
