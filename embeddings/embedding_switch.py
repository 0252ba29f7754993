"""Whether texts may be sent to a provider: decided by a room above, or by the settings without one."""

from collections.abc import Callable

from django.conf import settings


def _as_the_settings_say() -> bool:
    return bool(settings.SEMANTIC_SEARCH_ENABLED)


_decide: Callable[[], bool] = _as_the_settings_say


def decided_by(decide: Callable[[], bool]) -> None:
    """Makes `decide` the source; every search calls it, so it must be quick."""
    global _decide
    _decide = decide


def is_on() -> bool:
    """False: searches use keywords, and no query is embedded."""
    return _decide()
