"""The settings: every value and where it comes from, and what of them does not fit together. Asks no server."""

import os
from collections.abc import Iterator

from django.conf import settings

from embeddings.model_catalogue import spec_of
from embeddings.models import Space
from embeddings.providers.registry import provider_of
from queueops.engine import modes, synchronous
from queueops.models import Mode
from queueops.operate.checks import provider_settings
from queueops.operate.checks.finding import Finding, ok, warn
from queueops.operate.checks.unknown_settings import unknown, unknown_in_file

MASK = "****"  # in place of a secret that is set
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_SLOW_SWEEP_SECONDS = 60


def check() -> Iterator[Finding]:
    """One finding for each setting, then one for each contradiction."""
    for name, reading in sorted(settings.ENVIRONMENT.items()):
        # a secret that was not set may have been made at the first start
        value = reading.value or (MASK if getattr(settings, name, "") else "(empty)")
        yield ok(f"setting {name}", f"{value} ({reading.origin})")
    contradictions = list(_contradictions())
    yield from contradictions
    if not contradictions:
        yield ok("settings", "fit together")


def _contradictions() -> Iterator[Finding]:
    yield from _of_names()
    yield from of_file()
    yield from _of_mode()
    yield from _of_times()
    yield from _of_sizes()
    yield from provider_settings.contradictions(os.environ)
    yield from _of_faces()


def _of_names() -> Iterator[Finding]:
    """Variables that look like ours and are not, and one that is only for drills."""
    yield from unknown(set(os.environ) - settings.ENV_FILE.names, settings.ENVIRONMENT)
    if settings.FAILPOINT:
        yield warn(
            "setting VECTORPRESS_FAILPOINT",
            "is set: the code breaks down on purpose, for drills",
            "Unset VECTORPRESS_FAILPOINT and restart.",
        )


def of_file() -> Iterator[Finding]:
    """Names in the file of settings that nothing reads, and its permissions."""
    file = settings.ENV_FILE
    yield from unknown_in_file(file.names, file.path, settings.ENVIRONMENT)
    if file.is_writable_by_all:
        yield warn(
            "settings file",
            f"{file.path} can be changed by every user of this machine",
            f"chmod 600 {file.path}",
        )
    elif file.is_readable_by_all and (secrets := _secrets_in_file()):
        yield warn(
            "settings file",
            f"{file.path} holds {', '.join(secrets)}, and every user of this machine can read it",
            f"chmod 600 {file.path}",
        )


def _secrets_in_file() -> list[str]:
    """Names whose value is shown masked."""
    return [
        name
        for name, reading in sorted(settings.ENVIRONMENT.items())
        if name in settings.ENV_FILE.names and MASK in reading.value
    ]


def _of_mode() -> Iterator[Finding]:
    if not settings.SEMANTIC_SEARCH_ENABLED and settings.ENVIRONMENT["EMBEDDING_QUEUE_ENABLED"].is_set:
        yield warn(
            "queue without search",
            "EMBEDDING_QUEUE_ENABLED has no effect while SEMANTIC_SEARCH_ENABLED is false",
            "Set SEMANTIC_SEARCH_ENABLED=true, or unset EMBEDDING_QUEUE_ENABLED.",
        )


def _of_times() -> Iterator[Finding]:
    lease = settings.EMBEDDING_WORKER_TIMEOUT / 1000
    # workers renew their leases; a save in synchronous mode does not
    if modes.of_settings() is Mode.SYNCHRONOUS and lease <= 2 * synchronous.DEADLINE_SECONDS:
        yield warn(
            "lease",
            f"EMBEDDING_WORKER_TIMEOUT is {lease:g} s, and a save may take {synchronous.DEADLINE_SECONDS:g} s to "
            "embed: a worker could claim the same text, and it would be paid for twice",
            f"Set EMBEDDING_WORKER_TIMEOUT above {2_000 * synchronous.DEADLINE_SECONDS:.0f}.",
        )
    if settings.EMBEDDING_WORKER_INTERVAL > 1_000 * _SLOW_SWEEP_SECONDS:
        yield warn(
            "sweep",
            f"EMBEDDING_WORKER_INTERVAL is {settings.EMBEDDING_WORKER_INTERVAL / 1000:g} s, so work left by a "
            "lost wake-up or a dead worker is delayed by that long",
            f"Set EMBEDDING_WORKER_INTERVAL to {1_000 * _SLOW_SWEEP_SECONDS} or less.",
        )
    if settings.EMBEDDING_CLEANUP_INTERVAL > 24 * settings.EMBEDDING_CLEANUP_RETENTION_DAYS:
        yield warn(
            "cleanup",
            "EMBEDDING_CLEANUP_INTERVAL is longer than EMBEDDING_CLEANUP_RETENTION_DAYS: rows stay up to twice as "
            "long as intended",
            f"Set EMBEDDING_CLEANUP_INTERVAL to {24 * settings.EMBEDDING_CLEANUP_RETENTION_DAYS} hours or less.",
        )


def _of_sizes() -> Iterator[Finding]:
    spec = spec_of(settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSIONS)
    most = provider_of(in_settings()).limits.max_inputs
    if most < settings.EMBEDDING_BATCH_SIZE:
        yield warn(
            "batch",
            f"EMBEDDING_BATCH_SIZE is {settings.EMBEDDING_BATCH_SIZE}, and the provider accepts {most} texts per "
            "request: each batch becomes several requests",
            f"Set EMBEDDING_BATCH_SIZE to {most} or less, or to 0.",
        )
    if 0 < settings.EMBEDDING_TOKENS_PER_MINUTE < 10 * spec.chunk_tokens:
        yield warn(
            "token limit",
            f"EMBEDDING_TOKENS_PER_MINUTE is {settings.EMBEDDING_TOKENS_PER_MINUTE}, and one chunk has up to "
            f"{spec.chunk_tokens} tokens, which must fit into a tenth of a minute's budget",
            f"Set EMBEDDING_TOKENS_PER_MINUTE to {10 * spec.chunk_tokens} or more, or to 0.",
        )
    pool = settings.DATABASES["default"]["OPTIONS"].get("pool")
    threads = max(settings.WEB_THREADS, settings.EMBEDDING_WORKER_THREADS)
    if pool and pool["max_size"] < threads:
        yield warn(
            "pool",
            f"a process has {threads} threads and {pool['max_size']} database connections",
            f"Set the pool in DATABASES to {threads + 3} connections.",
        )


def _of_faces() -> Iterator[Finding]:
    if settings.DEBUG and settings.HOST not in _LOCAL_HOSTS:
        yield warn(
            "debug",
            f"DEBUG is on, and the site listens on {settings.HOST}: error pages show its code and settings to anyone",
            "Set DEBUG=false.",
        )


def in_settings() -> Space:
    """The space that the settings name, as no row knows it."""
    spec = spec_of(settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSIONS)
    return Space(
        provider=settings.EMBEDDING_PROVIDER,
        model=settings.EMBEDDING_MODEL,
        dimensions=spec.dimensions,
        chunk_tokens=spec.chunk_tokens,
        version=0,
    )
