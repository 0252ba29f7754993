"""The errors of providers: their class, their sentence, and when to ask again; pure."""

import pytest

from embeddings.providers.errors import (
    REFUSALS,
    ErrorClass,
    NotAskedError,
    PostponedError,
    ProviderError,
    WrongWidthError,
)


def test_an_error_is_its_sentence_with_a_class() -> None:
    error = ProviderError(ErrorClass.RATE_LIMITED, "asked for a pause", 7.5)
    assert (str(error), error.kind, error.retry_after) == ("asked for a pause", "rate_limited", 7.5)
    assert ProviderError(ErrorClass.TRANSIENT, "a 500").retry_after is None


def test_vectors_of_another_width_name_both_and_the_setting() -> None:
    error = WrongWidthError(384, 768)
    assert error.kind is ErrorClass.PROVIDER_DOWN
    assert "384 wanted, 768 came" in str(error)
    assert "EMBEDDING_DIMENSIONS=768" in str(error)


@pytest.mark.parametrize(
    ("error", "kind", "sentence", "seconds"),
    [
        (
            NotAskedError("the budget is spent", 60.0),
            ErrorClass.RATE_LIMITED,
            "the budget is spent: not asked",
            60.0,
        ),
        (
            NotAskedError("out", kind=ErrorClass.PROVIDER_DOWN),
            ErrorClass.PROVIDER_DOWN,
            "out: not asked",
            None,
        ),
        (PostponedError(), ErrorClass.POSTPONED, "the turn ended before this text's came: not asked", None),
    ],
)
def test_a_provider_that_was_not_called_is_distinguished_from_one_that_failed(
    error: NotAskedError, kind: ErrorClass, sentence: str, seconds: float | None
) -> None:
    assert (error.kind, str(error), error.retry_after) == (kind, sentence, seconds)


def test_only_refusals_may_end_with_smaller_requests() -> None:
    assert set(REFUSALS) == {ErrorClass.INVALID_INPUT, ErrorClass.TOO_LONG}
