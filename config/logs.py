"""Log lines of all processes: one event per line, followed by keys."""

import logging
import logging.config
import sys
from typing import Any

import structlog

from config import log_bounds

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
]

_QUIET = {
    "psycopg.pool": "ERROR",  # it logs every connection attempt
    "httpx": "WARNING",
    "httpcore": "WARNING",
    "django.request": "ERROR",
}


def configure(level: str) -> None:
    """Sends structlog's and the standard library's records to stderr in one shape."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": _line()},
            "filters": {
                "refused_requests": {"()": log_bounds.RefusedRequests},
                "broker_failures": {"()": log_bounds.BrokerFailures},
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "line",
                    "filters": ["refused_requests", "broker_failures"],
                }
            },
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {name: {"level": least} for name, least in _QUIET.items()},
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _line() -> dict[str, Any]:
    """The formatter of both kinds of records."""
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            log_bounds.unforgeable,
            # plain: the rich form prints local variables, tokens and texts among them
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        "foreign_pre_chain": _SHARED,
    }
