"""What can go wrong at a provider, in the classes that decide what happens next."""

from enum import StrEnum


class ErrorClass(StrEnum):
    TRANSIENT = "transient"  # may well work next time
    RATE_LIMITED = "rate_limited"  # asked us to come back later
    PROVIDER_DOWN = "provider_down"  # nobody answers, or a gateway says so
    AUTH = "auth"  # key, quota or payment: an operator must act
    TOO_LONG = "too_long"  # the same body will never be taken, a smaller one may be
    INVALID_INPUT = "invalid_input"  # this text will never be taken


class ProviderError(Exception):
    """A sentence for the operator that quotes no article and no secret; `retry_after` is in seconds."""

    def __init__(self, kind: ErrorClass, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
