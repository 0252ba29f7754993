"""The page for a form that is refused, with the setting to change where a proxy is the reason."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import loader

_LONGEST_ORIGIN = 300


def refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW; its `reason` is not shown, since it is for programmers."""
    page = loader.get_template("403_csrf.html").render({"detail": sentence(request)})
    return HttpResponse(page, status=403, headers={"Cache-Control": "no-store"})


def sentence(request: HttpRequest) -> str:
    """What differs between the form and what this site takes itself for, and what to do."""
    origin = request.headers.get("Origin", "")[:_LONGEST_ORIGIN]
    own = f"{request.scheme}://{request.get_host()}"
    if origin and origin not in (own, "null", *settings.CSRF_TRUSTED_ORIGINS):
        return (
            f"The form came from {origin}, and this site takes itself for {own}. Who runs the site sets "
            f"PUBLIC_URL={origin} (with the path, if it is below one) where that is its address, or adds it to "
            "CSRF_TRUSTED_ORIGINS; a proxy that ends TLS must be in TRUSTED_PROXIES and send X-Forwarded-Proto."
        )
    if settings.CSRF_COOKIE_NAME not in request.COOKIES:
        return _without_cookie(request)
    return "The form is out of date. Go back, reload the page and send it again."


def _without_cookie(request: HttpRequest) -> str:
    if settings.CSRF_COOKIE_SECURE and not request.is_secure():
        return (
            "The browser sent no cookie: with PUBLIC_URL=https://… cookies travel over HTTPS only, and this request "
            "came without. Open the https:// address; a proxy that ends TLS must be in TRUSTED_PROXIES."
        )
    return "The browser sent no cookie of this site. Allow cookies, reload the page and send the form again."
