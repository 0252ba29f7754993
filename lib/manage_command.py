"""How to type a management command where its message is read."""

from django.conf import settings


def manage(words: str) -> str:
    """The command line of `words`: `./dev manage migrate` in a checkout, elsewhere as MANAGE_COMMAND begins."""
    return f"{settings.MANAGE_COMMAND} {words}"
