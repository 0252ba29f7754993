"""Whether texts may be sent to a provider at all: a room above may decide; without one, the settings do."""

from collections.abc import Callable

from django.conf import settings


def _as_the_settings_say() -> bool:
    return bool(settings.SEMANTIC_SEARCH_ENABLED)


_decide: Callable[[], bool] = _as_the_settings_say


def decided_by(decide: Callable[[], bool]) -> None:
    """From now on `decide` answers; it is asked at every search, so it must be quick."""
    global _decide
    _decide = decide


def is_on() -> bool:
    """False: searches answer by words, and no query is embedded."""
    return _decide()
