"""API tokens in the admin: made there, shown once, ended there."""

from datetime import datetime
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import display

from access import granting, token_lifecycle
from access.models import ApiToken, ApiTokenQuerySet, State
from access.token_form import TokenForm
from lib.admin_lists import ForeignTextAdmin

_LABELS = {
    State.USABLE.value: "success",
    State.EXPIRING.value: "info",
    State.EXPIRED.value: "warning",
    State.REVOKED.value: "danger",
}


@admin.register(ApiToken)
class ApiTokenAdmin(ForeignTextAdmin):
    form = TokenForm
    fields = ("name", "scopes", "expires_at", "allow_from")
    list_display = (
        "name",
        "shown_prefix",
        "shown_scopes",
        "shown_state",
        "last_used_at",
        "expires_at",
        "shown_networks",
        "created_by",
        "created_at",
    )
    search_fields = ("name", "prefix")
    ordering = ("-id",)
    list_fullwidth = True
    actions = ("revoke_tokens",)
    change_form_outer_after_template = "admin/access/revoke_button.html"
    made_fields = (
        "name",
        "shown_prefix",
        "shown_scopes",
        "shown_state",
        "shown_networks",
        "created_at",
        "created_by",
        "shown_last_use",
        "shown_end",
        "revoked_at",
    )

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        return self.made_fields if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        """A token that was made never changes: make another one and revoke this."""
        return self.made_fields if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """The permission allows revoking; the page of an existing token has nothing to save."""
        return obj is None and bool(super().has_change_permission(request))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], **kwargs: Any
    ) -> HttpResponse:
        token = kwargs.get("obj")
        context["may_revoke"] = token and not token.revoked_at and self.has_change_permission(request)
        return cast(HttpResponse, super().render_change_form(request, context, **kwargs))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        rows = cast(ApiTokenQuerySet, super().get_queryset(request).defer("secret_hash"))
        return rows.with_state()

    def get_form(self, request: HttpRequest, obj: ApiToken | None = None, **kwargs: Any) -> type[TokenForm]:
        if obj:  # help texts of a form
            kwargs["help_texts"] = dict.fromkeys(self.made_fields, "")
        form = super().get_form(request, obj, **kwargs)
        return type(form.__name__, (form,), {"person": request.user})

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Tokens are revoked: the row stays, with who had access and until when."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiToken, form: TokenForm, change: bool) -> None:
        """Creates the token; its text is shown only on the reply to this request."""
        if change:
            return
        given = form.cleaned_data
        if not set(given["scopes"]) <= set(granting.grantable(request.user)):
            raise PermissionDenied
        row, text = token_lifecycle.issue(
            obj.name,
            given["scopes"],
            actor=request.user.get_username(),
            expires_at=obj.expires_at,
            allow_from=given["allow_from"],
        )
        obj.pk, obj.prefix = row.pk, row.prefix
        cast(Any, obj).made_text = text

    def response_add(
        self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The page that shows the token, instead of a message that would travel through a cookie or the session."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Token made",
            "opts": ApiToken._meta,
            "token": obj,
            "text": cast(Any, obj).made_text,
            "list": reverse("admin:access_apitoken_changelist"),
        }
        response = TemplateResponse(request, "admin/access/made.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @display(description="ID")
    def shown_prefix(self, token: ApiToken) -> str:
        return token.begins_with

    @display(description="Scopes")
    def shown_scopes(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @display(description="Allowed from")
    def shown_networks(self, token: ApiToken) -> str:
        return ", ".join(token.allow_from) or "everywhere"

    @display(description="Last used at", empty_value="never")
    def shown_last_use(self, token: ApiToken) -> datetime | None:
        return token.last_used_at

    @display(description="Expires at", empty_value="never")
    def shown_end(self, token: ApiToken) -> datetime | None:
        return token.expires_at

    @display(description="State", label=_LABELS)
    def shown_state(self, token: Any) -> str:
        return str(token.state)

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> HttpResponse | None:
        """Asks first, then ends the tokens at once."""
        if "confirmed" not in request.POST:
            return TemplateResponse(request, "admin/access/revoke.html", self._asked(request, queryset))
        tokens = list(queryset)
        for token in tokens:
            token_lifecycle.revoke(token, actor=request.user.get_username())
            self.log_change(request, token, "Revoked.")
        messages.success(request, f"{len(tokens)} revoked: {', '.join(str(token) for token in tokens)}")
        return None

    def _asked(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": "Revoke tokens",
            "opts": ApiToken._meta,
            "media": self.media,
            "tokens": queryset,
            "checkbox": ACTION_CHECKBOX_NAME,
            "back": request.get_full_path(),
        }
