"""What can go wrong at a provider, in the classes that decide what happens next."""

from enum import StrEnum


class ErrorClass(StrEnum):
    TRANSIENT = "transient"  # may well work next time
    RATE_LIMITED = "rate_limited"  # asked us to come back later
    POSTPONED = "postponed"  # its turn ended before all of the text was embedded: nothing is wrong
    PROVIDER_LOST = "provider_lost"  # went away in the midst: a text may have taken it along
    PROVIDER_DOWN = "provider_down"  # nobody answers, or a gateway says so
    AUTH = "auth"  # key, quota or payment: an operator must act
    TOO_LONG = "too_long"  # the same body will never be taken, a smaller one may be
    INVALID_INPUT = "invalid_input"  # this text will never be taken
    STORAGE_REFUSED = "storage_refused"  # no provider's: the database does not take the vectors


# What smaller requests may get past: the request was too long, or one of its texts is at fault.
REFUSALS = (ErrorClass.INVALID_INPUT, ErrorClass.TOO_LONG)


class ProviderError(Exception):
    """A sentence for the operator that quotes no article and no secret; `retry_after` is in seconds."""

    def __init__(self, kind: ErrorClass, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


class NotAskedError(ProviderError):
    """The provider was not asked, so nothing is known of it; the text is not at fault."""

    def __init__(
        self, message: str, seconds: float | None = None, kind: ErrorClass = ErrorClass.RATE_LIMITED
    ) -> None:
        super().__init__(kind, f"{message}: not asked", seconds)


class PostponedError(NotAskedError):
    """The batch gave its turn back before this text's came."""

    def __init__(self) -> None:
        super().__init__("the turn ended before this text's came", kind=ErrorClass.POSTPONED)
