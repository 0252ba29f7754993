"""What happens to API tokens; always sent inside the transaction that wrote it."""

from django.dispatch import Signal

# token: ApiToken, act: str (issued, rotated or revoked), actor: str, reason: str
token_changed = Signal()
