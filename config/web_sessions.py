"""The bounds of a web process's database sessions."""

from django.conf import settings


def bound() -> None:
    """Called before a web process makes its first connection. The bounds travel with the start of each session, so that
    they cost no statement; `options` of DATABASE_URL come last, and win."""
    options = settings.DATABASES["default"]["OPTIONS"]
    limits = {
        "lock_timeout": settings.DATABASE_LOCK_TIMEOUT,
        "statement_timeout": settings.DATABASE_STATEMENT_TIMEOUT,
    }
    ours = [f"-c {name}={value}" for name, value in limits.items() if value]
    if ours:
        options["options"] = " ".join([*ours, options.get("options", "")]).strip()
