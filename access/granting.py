"""The scopes that a person may grant to a token: those covered by their own permissions."""

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin

from access.models import Scope

type Person = AbstractBaseUser | PermissionsMixin | AnonymousUser


def grantable(person: Person) -> list[Scope]:
    """The scopes that this person may give, by API_SCOPE_PERMISSIONS; all of them for a superuser."""
    return [scope for scope in Scope if not missing(person, scope)]


def missing(person: Person, scope: Scope) -> list[str]:
    """The permissions (app.codename) that this person lacks to grant the scope. An unlisted scope cannot be granted."""
    if getattr(person, "is_superuser", False) and getattr(person, "is_active", False):
        return []
    needed: list[str] = settings.API_SCOPE_PERMISSIONS.get(scope.value, [f"scope {scope.value}"])
    has_perm = getattr(person, "has_perm", lambda permission: False)
    return [permission for permission in needed if not has_perm(permission)]
