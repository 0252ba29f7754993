"""The sessions of people in the admin: each sees their own, a superuser those of all; an action ends them."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import logout
from django.db.models import BooleanField, ExpressionWrapper, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.decorators import display

from access import sessions
from access.attempts import address_of
from access.sessions import Session, kept_key
from lib.admin_lists import ForeignTextAdmin
from lib.visible_text import readable


@admin.register(Session)
class SessionAdmin(ForeignTextAdmin):
    list_display = ("shown_user", "began_at", "seen_at", "address", "shown_agent", "is_this_one")
    list_display_links = None
    fields = ("shown_user", "began_at", "seen_at", "expire_date", "address", "agent")
    readonly_fields = fields
    list_select_related = ("user",)
    ordering = ("-seen_at", "pk")
    search_fields = ("user__username", "address")
    search_help_text = "a person's name, or an address"
    list_per_page = 50
    list_fullwidth = True
    actions = ("end_sessions",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        rows = Session.objects.signed_in()
        if not request.user.is_superuser:
            rows = rows.of(request.user)
        own = Q(pk=kept_key(request.session.session_key or ""))
        return (
            rows.defer("session_data")
            .annotate(is_own=ExpressionWrapper(own, BooleanField()))
            .order_by(*self.ordering)
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description="Person")
    def shown_user(self, session: Session) -> str:
        return readable(str(session.user))

    @display(description="Browser")
    def shown_agent(self, session: Session) -> str:
        return readable(session.agent[:80]) or "-"

    @display(description="This session")
    def is_this_one(self, session: Any) -> str:
        return "this one" if session.is_own else ""

    @admin.action(description="End selected sessions", permissions=["view"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[Session]) -> HttpResponse | None:
        """Only the person's own rows, except for superusers."""
        ends_own = queryset.filter(pk=kept_key(request.session.session_key or "")).exists()
        rows = Session.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        count = sessions.end(rows, name=request.user.get_username(), address=address_of(request))
        if ends_own:
            logout(request)
            return redirect("admin:login")
        messages.success(request, f"{count} session{'' if count == 1 else 's'} ended.")
        return None
