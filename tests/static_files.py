"""The site's static files are looked at once in a run: its middleware looks at all of them when it is made, and each
test client makes it anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from whitenoise.middleware import WhiteNoiseMiddleware


@contextmanager
def static_files_scanned_once() -> Iterator[None]:
    look = WhiteNoiseMiddleware.add_files_from_finders
    known: dict[Any, dict[str, Any]] = {}

    def add_known(middleware: Any) -> None:
        of = (middleware.static_prefix, middleware.max_age)  # what settings a test may change
        if of not in known:
            look(middleware)
            known[of] = dict(middleware.files)
        middleware.files.update(known[of])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add_known)
        yield
