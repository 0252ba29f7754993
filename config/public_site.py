"""The effects of PUBLIC_URL, the site's public address, on other settings. Pure."""

from urllib.parse import urlsplit

from config import env

USUAL_PROXIES = "127.0.0.1,::1"
HSTS_SECONDS = 365 * 24 * 3_600
# Both speak for other sites under the same name, which we know nothing of: HSTS for subdomains (W005), and the list
# that browsers ship (W021).
_NOT_OURS_TO_DECIDE = ["security.W005", "security.W021"]
# Django looks for its own CSRF class by name; config/http/page_middleware.py has a subclass of it that leaves out /api.
_ANSWERED_ELSEWHERE = ["security.W003"]
SILENCED_CHECKS = [*_NOT_OURS_TO_DECIDE, *_ANSWERED_ELSEWHERE]


# The first parts of the site's own paths: below a path of that name nobody could tell one from the other.
_OWN_PATHS = {"api", "admin", "articles", "search", "static", "health", "stats", ".well-known"}


def sub_path(public_url: str) -> str:
    """The path that the site is below, without a slash at its end; empty at the root. Raises ImproperlyConfigured for
    one that the site's own paths begin with."""
    path = urlsplit(public_url).path
    first = path.split("/")[1] if path else ""
    if first in _OWN_PATHS:
        raise env.refuse(
            "PUBLIC_URL", public_url, f"a path that does not begin with /{first}, which is the site's own"
        )
    return path


def origin(public_url: str) -> str:
    """Scheme, name and port."""
    return public_url.removesuffix(urlsplit(public_url).path) if public_url else ""


def hosts(public_url: str, allowed: str) -> list[str]:
    """Host names of the site: `allowed`, separated by commas, and its own."""
    named = [name.strip() for name in allowed.split(",") if name.strip()]
    own = urlsplit(public_url).hostname
    return [*named, _bracketed(own)] if own and _bracketed(own) not in named else named


def origins(public_url: str, trusted: str) -> list[str]:
    """Origins whose forms are trusted: those `trusted`, parted by commas, and the site's own."""
    named = [name.strip() for name in trusted.split(",") if name.strip()]
    own = origin(public_url)
    return [*named, own] if own and own not in named else named


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
