"""The meaning of a database error, by its SQLSTATE: the wording differs by language and version.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

LOCKED = "55P03"  # lock_not_available: lock_timeout ended the wait
CANCELLED = "57014"  # query_canceled: statement_timeout or another session ended the statement
DEADLOCK = "40P01"  # deadlock_detected
UNIQUE = "23505"  # unique_violation
CHECK = "23514"  # check_violation


def sqlstate(error: BaseException) -> str:
    """The state of Django's error or psycopg's; empty where the server gave none, as for a lost connection."""
    for each in (error, error.__cause__):
        if state := getattr(each, "sqlstate", None):
            return str(state)
    return ""


def constraint(error: BaseException) -> str:
    """The constraint that the statement would have broken; empty where it was another error."""
    for each in (error, error.__cause__):
        if name := getattr(getattr(each, "diag", None), "constraint_name", None):
            return str(name)
    return ""


def is_held_up(error: BaseException) -> bool:
    """Whether the database works, but this statement could not get what it needed in its time."""
    return sqlstate(error) in {LOCKED, CANCELLED, DEADLOCK}
