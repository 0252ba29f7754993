"""Guards of sign-in, tokens, sessions, and limits on guessing."""

from drills.guards.mutation import Mutation

MUTATIONS = (
    Mutation(
        "guessing: a full count refuses",
        "access/attempts.py",
        "    if taken.wait:",
        "    if False:",
        ("tests/access/test_backends.py",),
    ),
    Mutation(
        "guessing: wrong tokens are counted before they are looked at",
        "access/token_guard.py",
        "None if _is_good(key) else attempts.begin",
        "None if True else attempts.begin",
        ("tests/access/test_token_guard.py",),
    ),
    Mutation(
        "guessing: two hashes at once",
        "access/hashing.py",
        "_hashing = threading.BoundedSemaphore(AT_ONCE)",
        "_hashing = threading.BoundedSemaphore(100)",
        ("tests/access/test_hashing.py",),
    ),
    Mutation(
        "second factor: the password alone signs nobody in",
        "access/sign_in_pages.py",
        "if not second_factor.has_device(user):",
        "if True:",
        ("tests/access/test_second_factor.py",),
    ),
    Mutation(
        "second factor: before every page of the admin",
        "config/admin_site.py",
        "            if self._lacks_second_factor(request):\n                way_out",
        "            if False:\n                way_out",
        ("tests/config/test_admin_site.py",),
    ),
    Mutation(
        "sessions: the key is kept as a hash",
        "access/sessions.py",
        '    return hashlib.sha256(session_key.encode("utf-8", "replace")).hexdigest()',
        "    return session_key",
        ("tests/access/test_sessions.py",),
    ),
    Mutation(
        "sessions: an idle one has ended",
        "access/sessions.py",
        "Q(user__isnull=True) | Q(seen_at__gt=Now() - idle)",
        "Q()",
        ("tests/access/test_sessions.py",),
    ),
)
