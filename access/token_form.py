"""The form that makes an API token in the admin."""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from access import addresses, granting
from access.models import ApiToken, Scope


class TokenForm(forms.ModelForm[ApiToken]):
    """`person` is who makes the token: only the scopes that their permissions cover are offered, and taken."""

    person: ClassVar[granting.Person] = AnonymousUser()

    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"invalid_choice": "Your own permissions do not cover the scope %(value)s."},
    )
    allow_from = forms.CharField(
        required=False,
        max_length=addresses.MOST_NETWORKS * (addresses.MOST_CHARACTERS + 2),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        label="Allowed from",
        help_text="Addresses and networks that may use it, one a line: 203.0.113.9, 10.0.0.0/8. Empty: everywhere.",
    )

    class Meta:
        model = ApiToken
        fields = ["name", "scopes", "expires_at", "allow_from"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:  # the page of a token that was made shows it, and changes nothing
            return
        possible = granting.grantable(self.person)
        scopes = self.fields["scopes"]
        if isinstance(scopes, forms.MultipleChoiceField):
            scopes.choices = [(scope.value, scope.label) for scope in possible]
        scopes.initial = [scope.value for scope in possible if scope is Scope.READ]
        scopes.help_text = self._left_out()
        if settings.API_TOKEN_DAYS:
            self.fields["expires_at"].initial = timezone.now() + timedelta(days=settings.API_TOKEN_DAYS)
        self.initial.pop("allow_from", None)

    def _left_out(self) -> str:
        """The reason why a scope is not offered."""
        lacking = {scope: granting.missing(self.person, scope) for scope in Scope}
        return " ".join(
            f"{scope} is not offered: you lack {', '.join(permissions)}."
            for scope, permissions in lacking.items()
            if permissions
        )

    def clean_allow_from(self) -> list[str]:
        """The networks, each on its own."""
        try:
            found = addresses.read_networks(self.cleaned_data["allow_from"].replace("\n", ",").split(","))
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return [str(network) for network in found]

    def clean_expires_at(self) -> Any:
        """A token that has ended already is a slip."""
        ends = self.cleaned_data["expires_at"]
        if ends and ends <= timezone.now():
            raise ValidationError(
                "This is in the past: choose a later date, or none for a token without an end."
            )
        return ends
