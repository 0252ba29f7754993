"""The pages to sign in: name and password, then a code where the person has a second factor; and to change a password.

A blocked attempt returns 429 with Retry-After and the same page; the form is empty.
"""

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.generic.edit import FormView

from access import account_changes, second_factor, sessions
from access.attempts import TooManyAttempts, address_of
from access.forms import CodeForm
from access.sessions import Session

_BACKEND = "access.backends.PasswordBackend"


def sentence_of(refusal: TooManyAttempts) -> str:
    """The message of a blocked attempt."""
    wait = refusal.wait or 1
    count, unit = (wait, "second") if wait < 120 else (-(-wait // 60), "minute")
    time = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"Too many attempts. Try again in {time}; until then even the right one is refused."


def blocked(page: FormView[Any], refusal: TooManyAttempts) -> HttpResponse:
    """The page again, with an empty form and the sentence of the refusal."""
    form = page.get_form_class()(**page.get_form_kwargs() | {"data": None, "files": None})
    return refused(
        page.render_to_response(page.get_context_data(form=form, problem=sentence_of(refusal))), refusal
    )


def refused(response: HttpResponse, refusal: TooManyAttempts) -> HttpResponse:
    """The response with the status and header of a refusal."""
    response.status_code = 429
    response["Retry-After"] = str(refusal.wait)
    return response


class PasswordPage(LoginView):
    """Signs in, or records in the session that the password was right and requests the code."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except TooManyAttempts as refusal:
            return blocked(self, refusal)

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if not second_factor.has_device(user):
            return super().form_valid(form)
        second_factor.hold(self.request, user, self.get_success_url())
        return redirect("admin:login_code")


class PasswordChangePage(PasswordChangeView):
    """Every other session of the person ends with the change (access/account_changes.py)."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except TooManyAttempts as refusal:
            return blocked(self, refusal)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        account_changes.name_author(form.user, self.request)
        return super().form_valid(form)


def code_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The second step; without a password before it, back to the first."""
    held = second_factor.held(request)
    if held is None:
        return redirect("admin:login")
    user, next_url = held
    form = CodeForm(request.POST if request.method == "POST" else None)
    page = TemplateResponse(request, "admin/access/code.html", context | {"form": form, "title": "Log in"})
    if not form.is_valid():
        return page
    try:
        device = second_factor.verify(user, form.cleaned_data["code"], address_of(request))
    except TooManyAttempts as refusal:
        page.context_data = context | {"form": CodeForm(), "problem": sentence_of(refusal)}
        return refused(page, refusal)
    if device is None:
        form.add_error(
            "code", "This code is wrong or was used already. Enter the one that the app shows now."
        )
        return page
    second_factor.release(request)
    vars(user)["otp_device"] = device  # django-otp verifies the session that login() begins
    login(request, user, backend=_BACKEND)
    return redirect(_safe(request, next_url))


def end_other_sessions(request: HttpRequest) -> int:
    """Ends the sessions of the person who asks, but for this one; how many."""
    rows = Session.objects.of(request.user).exclude(pk=sessions.kept_key(request.session.session_key or ""))
    return sessions.end(rows, name=request.user.get_username(), address=address_of(request))


def _safe(request: HttpRequest, url: str) -> str:
    hosts = {request.get_host()}
    is_ours = url_has_allowed_host_and_scheme(url, allowed_hosts=hosts, require_https=request.is_secure())
    return url if is_ours else reverse("admin:index")
