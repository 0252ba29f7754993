"""A connection outside the pool that must not wait: for monitoring while all others are stuck."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

_ALIAS = "default"
# libpq takes less for 2; who cannot wait that long must not wait for the look itself
_CONNECT_SECONDS = 2
_BOUND = """
SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false),
       set_config('application_name', %s, false)
"""


@contextmanager
def own_connection(name: str, *, lock_ms: int, statement_ms: int) -> Iterator[None]:
    """Within the context, this thread uses a new connection to the database.

    No statement there waits for a lock longer than `lock_ms`, or takes longer than `statement_ms`; `name` is its
    application name. Raises what Django raises where the database cannot be reached.
    """
    usual = connections[_ALIAS]
    options = {key: value for key, value in usual.settings_dict["OPTIONS"].items() if key != "pool"}
    options |= {"connect_timeout": _CONNECT_SECONDS}
    own = type(usual)({**usual.settings_dict, "OPTIONS": options}, _ALIAS)
    connections[_ALIAS] = own
    try:
        with own.cursor() as cursor:
            cursor.execute(_BOUND, [str(lock_ms), str(statement_ms), name])
        yield
    finally:
        connections[_ALIAS] = usual
        own.close()
