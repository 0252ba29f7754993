"""Which HTTP proxy leads to a provider: the one of the settings, or the environment's if the settings say so."""

import urllib.request
from urllib.parse import urlsplit

ENVIRONMENT = "environment"


def for_url(url: str, setting: str) -> str:
    """The proxy's address for a request to `url`, "" for none. `setting` is such an address, "" or ENVIRONMENT: then
    HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY decide, as they do for other programs."""
    if setting != ENVIRONMENT:
        return setting
    parts = urlsplit(url)
    found = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass(parts.netloc):
        return ""
    proxy = found.get(parts.scheme) or found.get("all", "")
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"
