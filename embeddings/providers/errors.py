"""Errors of providers, in the classes that decide what happens next."""

from enum import StrEnum


class ErrorClass(StrEnum):
    TRANSIENT = "transient"  # may work next time
    RATE_LIMITED = "rate_limited"  # requested a pause
    POSTPONED = "postponed"  # its turn ended before all of the text was embedded: not a fault
    PROVIDER_LOST = "provider_lost"  # went down during the request: a text may have crashed it
    PROVIDER_DOWN = "provider_down"  # not reachable, or a gateway reports that
    AUTH = "auth"  # key, quota or payment: an operator must act
    TOO_LONG = "too_long"  # the same body is always refused, a smaller one may be accepted
    INVALID_INPUT = "invalid_input"  # this text is always refused
    STORAGE_REFUSED = "storage_refused"  # not of a provider: the database refuses the vectors


# Errors that smaller requests may avoid: the request was too long, or one of its texts is at fault.
REFUSALS = (ErrorClass.INVALID_INPUT, ErrorClass.TOO_LONG)


class ProviderError(Exception):
    """A sentence for operators, without article text or secrets; `retry_after` is in seconds. `status` is that of the
    server's reply, None if it gave none; `numbers` are those in its words, which may name a limit."""

    def __init__(
        self,
        kind: ErrorClass,
        message: str,
        retry_after: float | None = None,
        status: int | None = None,
        numbers: tuple[int, ...] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
        self.status = status
        self.numbers = numbers


class WrongWidthError(ProviderError):
    """Every vector has the same width, and not the space's: the server or the settings must change."""

    def __init__(self, wanted: int, came: int) -> None:
        super().__init__(
            ErrorClass.PROVIDER_DOWN,
            f"the provider's vectors have another width: {wanted} wanted, {came} came. Set EMBEDDING_MODEL to the "
            f"model that the server runs, or EMBEDDING_DIMENSIONS={came}",
        )


class NotAskedError(ProviderError):
    """The provider was not called, so its state is unknown; the text is not at fault."""

    def __init__(
        self, message: str, seconds: float | None = None, kind: ErrorClass = ErrorClass.RATE_LIMITED
    ) -> None:
        super().__init__(kind, f"{message}: not asked", seconds)


class PostponedError(NotAskedError):
    """The batch's turn ended before this text was sent."""

    def __init__(self) -> None:
        super().__init__("the turn ended before this text's came", kind=ErrorClass.POSTPONED)
