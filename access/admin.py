"""API tokens in the admin: made there, shown once, ended there."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from access.models import ApiToken, Scope
from lib.admin_lists import ForeignTextAdmin

_IS_USABLE = ExpressionWrapper(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()), BooleanField())


class TokenForm(forms.ModelForm[ApiToken]):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget, initial=[Scope.READ]
    )

    class Meta:
        model = ApiToken
        fields = ["name", "scopes", "expires_at"]


@admin.register(ApiToken)
class ApiTokenAdmin(ForeignTextAdmin):
    form = TokenForm
    fields = ("name", "scopes", "expires_at")
    list_display = (
        "name",
        "shown_prefix",
        "shown_scopes",
        "state",
        "last_used_at",
        "expires_at",
        "created_at",
    )
    search_fields = ("name", "prefix")
    ordering = ("-id",)
    list_fullwidth = True
    actions = ("revoke_tokens",)
    made_fields = (
        "name",
        "shown_prefix",
        "shown_scopes",
        "state",
        "created_at",
        "last_used_at",
        "expires_at",
    )

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        return self.made_fields if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        """A token that was made never changes: make another one and revoke this."""
        return self.made_fields if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        rows: QuerySet[ApiToken] = super().get_queryset(request).defer("secret_hash")
        return rows.annotate(is_usable=_IS_USABLE)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: TokenForm, change: bool) -> None:
        """Makes the token; its text is in this one message and nowhere else."""
        if change:
            return
        row, text = ApiToken.objects.issue(obj.name, form.cleaned_data["scopes"], obj.expires_at)
        obj.pk, obj.prefix = row.pk, row.prefix
        messages.warning(request, f"Copy the token now, it is never shown again: {text}")

    @display(description="begins with")
    def shown_prefix(self, token: ApiToken) -> str:
        return f"vp_{token.prefix}_…"

    @display(description="scopes")
    def shown_scopes(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @display(description="state", label={"usable": "success", "revoked": "danger", "expired": "warning"})
    def state(self, token: Any) -> str:
        if token.revoked_at:
            return "revoked"
        return "usable" if token.is_usable else "expired"

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> HttpResponse | None:
        """Asks first, then ends the tokens at once."""
        if "confirmed" not in request.POST:
            return TemplateResponse(request, "admin/access/revoke.html", self._asked(request, queryset))
        tokens = list(queryset)
        for token in tokens:
            token.revoke()
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
