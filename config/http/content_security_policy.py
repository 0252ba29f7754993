"""What pages may load and run. The admin's, and no others, may do what their theme needs: evaluate expressions and set
colours inline."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override

ADMIN_PATH = "/admin/"
SITE_POLICY: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "form-action": [CSP.SELF],  # default-src does not cover it
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
}
ADMIN_POLICY: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
    "img-src": [CSP.SELF, "data:"],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.SELF],  # related objects open in a frame of the admin itself
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
}

type View = Callable[[HttpRequest], HttpResponseBase]


def admin_policy(get_response: View) -> View:
    """A middleware; it belongs below Django's ContentSecurityPolicyMiddleware."""
    with_admin_policy = csp_override(ADMIN_POLICY)(get_response)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        view = with_admin_policy if request.path_info.startswith(ADMIN_PATH) else get_response
        return view(request)

    return middleware
