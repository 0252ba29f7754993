"""Forms of people who sign in."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.widgets import UnfoldAdminTextInputWidget

from access.backends import is_password_of


class CodeForm(forms.Form):
    """A code of the authenticator app, or a recovery code."""

    code = forms.CharField(
        max_length=32,
        widget=UnfoldAdminTextInputWidget(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )


class PasswordChangeForm(AdminOwnPasswordChangeForm):
    """The old password is a guess like any other."""

    def __init__(self, user: Any, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        self.request = request
        super().__init__(user, *args, **kwargs)

    @sensitive_variables("old_password")
    def clean_old_password(self) -> str:
        """Raises TooManyAttempts, which the page handles."""
        old_password: str = self.cleaned_data["old_password"]
        if not is_password_of(self.user, old_password, self.request):
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return old_password
