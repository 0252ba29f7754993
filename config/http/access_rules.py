"""Access outside the REST API: the public pages, and JSON for the holder of a token."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from ninja.errors import HttpError, Throttled

from access import addresses, attempts, second_factor, throttles
from access.auth import Bearer
from access.models import Scope
from config.http import database_trouble, problems

type View = Callable[..., HttpResponseBase]


def public(view: View, busy: str = "pages/busy.html") -> View:
    """Open to everybody while PUBLIC_SEARCH is on, else to people who have signed in; PUBLIC_RATE_LIMIT requests a
    minute for one address. `busy` is the template for those who asked too often."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.PUBLIC_SEARCH and not second_factor.is_satisfied(request):
            return redirect_to_login(request.get_full_path())
        try:
            caller = addresses.limit_key(attempts.address_of(request))
            throttles.spend(f"public:{caller}", settings.PUBLIC_RATE_LIMIT)
        except Throttled as error:
            problem = f"Too many searches from here. Try again in {error.wait} seconds."
            response = render(request, busy, {"problem": problem}, status=429)
            response["Retry-After"] = str(error.wait)
            return response
        return view(request, *args, **kwargs)

    return guarded


def with_token(view: View, scope: Scope) -> View:
    """Open to bearer tokens with this scope; refusals are problem documents, as in the API, and so is a database that
    cannot answer."""
    admits = Bearer(scope)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            admits(request)
            return view(request, *args, **kwargs)
        except HttpError as error:
            return problems.refused(request, error)
        except Exception as error:
            if trouble := database_trouble.of(error):
                database_trouble.noticed.note(trouble)
                return problems.unavailable(trouble)
            raise

    return guarded
