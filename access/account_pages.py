"""The pages of a person's own account: the second factor, and signing out everywhere."""

from typing import Any, cast

import segno
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import second_factor, sessions
from access.attempts import TooManyAttempts, address_of
from access.forms import CodeForm
from access.sessions import Session
from access.sign_in_pages import end_other_sessions, refused, sentence_of

_WRONG = "This code is wrong or was used already. Enter the one that the app shows now."


def second_factor_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Shows the state; a POST's `act` is start, confirm, codes or remove. Keys and recovery codes are in a POST's
    reply only, which must not be stored."""
    acts = {"start": _start, "confirm": _confirm, "codes": _renew_codes, "remove": _remove}
    act = acts.get(request.POST.get("act", "")) if request.method == "POST" else None
    try:
        added = act(request) if act else {}
    except TooManyAttempts as refusal:
        kept = _key_in_work(request) if act is _confirm else {}
        return refused(_page(request, context | kept | {"problem": sentence_of(refusal)}), refusal)
    return _page(request, context | added)


def sign_out_everywhere(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Asks, then ends every session of the person, this one too."""
    own = Session.objects.of(request.user)
    if request.method != "POST":
        context |= {"title": "Sign out everywhere", "count": own.signed_in().count()}
        return TemplateResponse(request, "admin/access/sign_out_everywhere.html", context)
    sessions.end(own, name=request.user.get_username(), address=address_of(request))
    logout(request)
    return redirect("admin:login")


def _page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    user = _person(request)
    context = {
        "title": "Second factor",
        "form": CodeForm(),
        "is_on": second_factor.has_device(user),
        "codes_left": second_factor.codes_left(user),
        "is_required": not second_factor.is_satisfied(request),
    } | context
    response = TemplateResponse(request, "admin/access/second_factor.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _start(request: HttpRequest) -> dict[str, Any]:
    user = _person(request)
    if second_factor.has_device(user):
        return {}
    return {"key": _shown(second_factor.start(user))}


def _confirm(request: HttpRequest) -> dict[str, Any]:
    user = _person(request)
    device = second_factor.unconfirmed(user)
    form = CodeForm(request.POST)
    if device is None or second_factor.has_device(user):
        return {}
    if form.is_valid():
        if codes := second_factor.confirm(request, user, form.cleaned_data["code"]):
            end_other_sessions(request)
            return {"new_codes": codes}
        form.add_error("code", f"{_WRONG} If it is refused again, set the clock of the phone.")
    return {"key": _shown(device), "form": form}


def _key_in_work(request: HttpRequest) -> dict[str, Any]:
    """The key that is being confirmed, so that a refusal leaves it on the page: the app has it already."""
    user = _person(request)
    device = None if second_factor.has_device(user) else second_factor.unconfirmed(user)
    return {"key": _shown(device)} if device else {}


def _renew_codes(request: HttpRequest) -> dict[str, Any]:
    form = _checked(request)
    return (
        {"form": form} if form.errors else {"new_codes": second_factor.renew_codes(request, _person(request))}
    )


def _remove(request: HttpRequest) -> dict[str, Any]:
    form = _checked(request)
    if form.errors:
        return {"form": form}
    user = _person(request)
    second_factor.remove(user, name=user.get_username(), address=address_of(request))
    vars(request).pop("is_second_factor_satisfied", None)
    return {"is_removed": True}


def _checked(request: HttpRequest) -> CodeForm:
    """The form with a code that was right, or with an error."""
    form = CodeForm(request.POST)
    if form.is_valid() and not second_factor.verify(
        _person(request), form.cleaned_data["code"], address_of(request)
    ):
        form.add_error("code", _WRONG)
    return form


def _shown(device: TOTPDevice) -> dict[str, str]:
    """A key as a picture to scan, and as text to type."""
    secret = device.config_url.partition("secret=")[2].partition("&")[0]
    picture = segno.make(device.config_url, error="m", micro=False).svg_data_uri(scale=5, border=4)
    return {"picture": picture, "text": " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))}


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)
