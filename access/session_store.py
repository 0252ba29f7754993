"""The session engine (SESSION_ENGINE): Django's database store with hashed keys, and columns for the list."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db.models.functions import Now
from django.utils import timezone
from psycopg import Error
from psycopg.errors import UniqueViolation

from access.sessions import ADDRESS, AGENT, BEGAN, Session, kept_key


class SessionStore(db.SessionStore):
    """Asynchronous callers take the same way as all others."""

    aload = SessionBase.aload
    aexists = SessionBase.aexists
    acreate = SessionBase.acreate
    asave = SessionBase.asave
    adelete = SessionBase.adelete

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        """The session's data; nothing where it has ended."""
        row = Session.objects.to_use(self.session_key or "")
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row.session_data)

    def save(self, must_create: bool = False) -> None:
        """Raises the database's own error if it refuses. Django takes each for a duplicate key, and tries other
        keys without end, or for a session that has ended."""
        try:
            super().save(must_create)
        except (CreateError, UpdateError) as error:
            refused = error.__context__
            cause = refused.__cause__ if refused else None
            if refused and isinstance(cause, Error) and not isinstance(cause, UniqueViolation):
                raise refused from cause
            raise

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(pk=kept_key(session_key)).exists()

    def create_model_instance(self, data: Mapping[str, Any]) -> Session:
        began = data.get(BEGAN)
        return Session(
            session_key=kept_key(self._get_or_create_session_key()),  # type: ignore[attr-defined]
            session_data=self.encode(dict(data)),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SESSION_KEY),
            began_at=datetime.fromisoformat(began) if began else timezone.now(),
            seen_at=Now(),
            address=data.get(ADDRESS, ""),
            agent=data.get(AGENT, ""),
        )

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(pk=kept_key(key)).delete()

    @classmethod
    def clear_expired(cls) -> None:
        """For `manage.py clearsessions`: all of those that have ended."""
        Session.objects.exclude(pk__in=Session.objects.living().values("pk")).delete()
