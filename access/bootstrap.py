"""AUTH_TOKEN, the token an installation begins with: a row like that of any other token, made once.

The row is made at the first start, or at the first use where nothing made it before. Revoked, it stays: the same text
is refused permanently.
"""

import hmac
import uuid

from django.conf import settings
from django.db import transaction

from access import token_text
from access.models import BOOTSTRAP_NAME, ApiToken, Scope
from access.signals import token_changed

FIRST_USE = "first use"


def is_text(text: str) -> bool:
    """Whether this is the text that AUTH_TOKEN holds in this process."""
    # bytes, since compare_digest takes no other text than ASCII
    given, kept = text.encode("utf-8", "replace"), settings.AUTH_TOKEN.encode()
    return bool(kept) and hmac.compare_digest(given, kept)


def row() -> ApiToken | None:
    """The row of the text that AUTH_TOKEN holds, whatever its state."""
    return ApiToken.objects.with_text(settings.AUTH_TOKEN)


def ensure(*, actor: str) -> bool:
    """Makes that row unless there is one, revoked or not; returns whether it was made now."""
    mark = token_text.fingerprint(settings.AUTH_TOKEN)
    if mark is None:
        return False
    fields = {
        "name": BOOTSTRAP_NAME,
        "secret_hash": mark.secret_hash,
        "scopes": Scope.values,
        "created_by": actor,
        "bootstrap_line": uuid.uuid4(),
    }
    with transaction.atomic():
        made, is_new = ApiToken.objects.get_or_create(prefix=mark.prefix, defaults=fields)
        if is_new:
            token_changed.send(ApiToken, token=made, act="issued", actor=actor, reason="")
    return is_new


def admits(token: ApiToken, text: str) -> bool:
    """Whether a good token counts here: one that another AUTH_TOKEN made does not, unless it was rotated from or to
    the one in this process."""
    if token.bootstrap_line is None or is_text(text):
        return True
    own = row()
    return own is not None and own.bootstrap_line == token.bootstrap_line
