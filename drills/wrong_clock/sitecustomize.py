"""Puts the clock of every Python process that finds this folder on its path wrong by DRILL_CLOCK_SECONDS.

Python imports a module of this name at its start. Only the time of day is wrong; monotonic clocks, which
measure how long something takes, are not.
"""

import datetime
import os
import time
from datetime import datetime as _datetime
from typing import Any, Self

_WRONG = float(os.environ.get("DRILL_CLOCK_SECONDS", "0"))
_time, _time_ns = time.time, time.time_ns


class _WrongType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _datetime)


class _WrongDatetime(_datetime, metaclass=_WrongType):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + datetime.timedelta(seconds=_WRONG)

    @classmethod
    def utcnow(cls) -> Any:
        return _datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=_WRONG)

    @classmethod
    def today(cls) -> Any:
        return cls.now()

    def __new__(cls, *words: Any, **named: Any) -> Self:
        return _datetime.__new__(_datetime, *words, **named)  # type: ignore[return-value]


if _WRONG:
    time.time = lambda: _time() + _WRONG
    time.time_ns = lambda: _time_ns() + int(_WRONG * 1_000_000_000)
    datetime.datetime = _WrongDatetime  # type: ignore[misc]
