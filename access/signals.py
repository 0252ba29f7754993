"""Events of accounts, sessions and tokens, for the audit log. No signal carries a password, a token or a code.

Sign-ins and sign-outs themselves are Django's: django.contrib.auth.signals.
"""

from django.dispatch import Signal

# door, name, address: the first failure of a caller within a window; those after it are only counted
attempt_failed = Signal()
# door, name, address, limited_by, failures, seconds: a block begins
attempts_blocked = Signal()
# name, address: the password was correct; the sign-in still needs the code
code_asked = Signal()
# name, address, change ("added", "removed", "recovery codes replaced", "recovery code used"), whose, reason
second_factor_changed = Signal()
# name, address, whose, count, reason: sessions ended by a person
sessions_ended = Signal()
# name, whose (a name or an address), count, reason: counts of failures and their blocks, removed by an operator
blocks_ended = Signal()
# token: ApiToken, act: str (issued, rotated or revoked), actor: str, reason: str; inside the transaction that wrote it
token_changed = Signal()
