"""People, groups and sessions in the admin's own look; no list of messages, since the tasks are the truth.

People grant only what they hold: a person who may change people, but is not a superuser, grants their own permissions
and no others, and cannot change accounts that hold more.
"""

from collections.abc import Iterable
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import ManyToManyField, Q, QuerySet
from django.http import HttpRequest
from django_dramatiq.models import Task as Message
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from access import account_changes
from access import session_admin as session_admin
from lib.admin_filters import FilteredAdmin

admin.site.index_title = "Overview"
# A device's page would show its key and allow colleagues to change it: people have their own page.
for model in (User, Group, Message, TOTPDevice, StaticDevice):
    admin.site.unregister(model)


def held_by(person: User) -> QuerySet[Permission]:
    """The permissions that a person may hand on: all of a superuser's, else their own and their groups'."""
    if person.is_superuser:
        return Permission.objects.all()
    return Permission.objects.filter(Q(user=person) | Q(group__user=person)).distinct()


def beyond(person: User) -> QuerySet[Permission]:
    """The permissions that a person does not hold."""
    return Permission.objects.exclude(pk__in=held_by(person).values("pk"))


class _WithinOwnRights:
    """Offers only the person's own permissions and groups; a crafted form is checked against the same choices."""

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest | None = None, **options: Any
    ) -> Any:
        person = cast(User, cast(HttpRequest, request).user)
        if db_field.remote_field.model is Permission:
            options["queryset"] = held_by(person).select_related("content_type")
        elif db_field.remote_field.model is Group and not person.is_superuser:
            options["queryset"] = Group.objects.exclude(permissions__in=beyond(person))
        return cast(Any, super()).formfield_for_manytomany(db_field, request, **options)


class _OnlyWhoHoldsNoMore(_WithinOwnRights):
    """Prevents a person from changing and deleting accounts and groups that hold more than they do: neither by its
    page nor among several at once."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of somebody who holds more, a person could take the password, and with it the rest; a group would lose by a
        save what the form does not offer."""
        allowed: bool = cast(Any, super()).has_change_permission(request, obj)
        return allowed and _holds_no_more(obj, cast(User, request.user))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = cast(Any, super()).has_delete_permission(request, obj)
        return allowed and _holds_no_more(obj, cast(User, request.user))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Deleting several at once requires the permission on each."""
        found, counts, needed, protected = cast(Any, super()).get_deleted_objects(objs, request)
        needed = {
            *needed,
            *(obj._meta.verbose_name for obj in objs if not self.has_delete_permission(request, obj)),
        }
        return found, counts, needed, protected


def _holds_no_more(other: User | Group | None, person: User) -> bool:
    if other is None or person.is_superuser or other == person:
        return True
    if isinstance(other, User) and other.is_superuser:
        return False
    held = held_by(other) if isinstance(other, User) else other.permissions.all()
    return not held.filter(pk__in=beyond(person).values("pk")).exists()


@admin.register(User)
class UserAdmin(_OnlyWhoHoldsNoMore, DjangoUserAdmin[User], FilteredAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_fullwidth = True

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> User | None:
        """The pages that change a person, and their password, begin here."""
        person = super().get_object(request, object_id, from_field)
        if person is not None:
            account_changes.name_author(person, request)
        return person

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Without the password for people with view permission only: read-only, the page would show its whole hash."""
        sets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return sets
        return [(name, {**about, "fields": _without_password(about["fields"])}) for name, about in sets]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only a superuser makes another."""
        own = super().get_readonly_fields(request, obj)
        return own if cast(User, request.user).is_superuser else (*own, "is_superuser")


def _without_password(fields: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(field for field in fields if field != "password")


@admin.register(Group)
class GroupAdmin(_OnlyWhoHoldsNoMore, DjangoGroupAdmin, FilteredAdmin):
    list_fullwidth = True
