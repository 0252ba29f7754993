"""The first start of an installation: it creates an admin login and a token, and imports a first corpus."""

import os
import secrets
from pathlib import Path
from typing import NamedTuple, cast

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from access import bootstrap
from access.models import ApiToken
from config.secrets_on_disk import give_path
from config.stack.orphans import kept_text
from queueops.base import installed

ADMIN_NAME = "admin"
_QUEUE = "queueops"


class Login(NamedTuple):
    """How to sign in to the admin; the password is known only in the run that created it."""

    name: str
    password: str | None


class Token(NamedTuple):
    """AUTH_TOKEN: whether this run made its row, and whether it was revoked or has expired."""

    is_new: bool
    has_ended: bool


def pending_migrations() -> list[list[str]]:
    """The arguments of each `migrate` that brings the database up to date with the code; none where it is.

    A queue that was removed on purpose stays away.
    """
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    behind = dict.fromkeys(migration.app_label for migration, _ in plan)
    if is_queue_removed():
        return [[app] for app in behind if app != _QUEUE]
    return [[]] if behind else []


def is_queue_removed() -> bool:
    """Whether `manage.py migrate queueops zero` was the last word on the queue: a first migration that was cut off
    before the queue's turn has not come to the apps after it in the alphabet either."""
    applied = {app for app, _ in MigrationRecorder(connection).applied_migrations()}
    return _QUEUE not in applied and any(app > _QUEUE for app in applied)


def has_queue() -> bool:
    """Whether there is anything for workers to do, now or later."""
    try:
        return installed.look()
    finally:
        release_connections()


def login_file() -> Path:
    """The file of the login of the first start, readable by its owner only."""
    return settings.DATA_DIR / "admin_login"


def ensure_login() -> Login | None:
    """Makes an admin with a random password where the database has none; None if another process created one."""
    users = get_user_model()._default_manager
    if users.filter(is_superuser=True).exists():
        known = kept_text(login_file()).split("\n", 1)[0]
        return Login(known, None) if known else None
    made = Login(ADMIN_NAME, secrets.token_urlsafe(12))
    write_private(login_file(), f"{made.name}\n{made.password}\n")
    give_path(login_file())
    users.create_superuser(made.name, password=made.password)
    return made


def ensure_token() -> Token:
    """Makes the row of AUTH_TOKEN where there is none; one that was revoked stays off."""
    is_new = bootstrap.ensure(actor="first start")
    return Token(is_new, ApiToken.objects.authenticate(settings.AUTH_TOKEN) is None)


def release_connections() -> None:
    """Closes the supervisor's own connections: it needs none while it watches."""
    connection.close()
    cast(DatabaseWrapper, connections["default"]).close_pool()


class FirstImport:
    """The first import, remembered in the data folder: run once, and again only where it was interrupted."""

    def __init__(self, data_dir: Path) -> None:
        self._mark = data_dir / "first_import"

    def wanted(self, articles: int) -> bool:
        """Whether it is to be run: on a database without articles, or where it was interrupted."""
        state = kept_text(self._mark).strip()
        return state == "begun" or (state == "" and articles == 0)

    def begun(self) -> None:
        """Remembers that it runs."""
        write_private(self._mark, "begun\n")
        give_path(self._mark)

    def done(self) -> None:
        """Records that the first import is over."""
        write_private(self._mark, "done\n")
        give_path(self._mark)


def write_private(path: Path, text: str) -> None:
    """Writes a file that its owner alone may read, from its first moment on. A link of that name is replaced, and never
    followed."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        path.unlink(missing_ok=True)
        raise
