"""Serves the site below the path of PUBLIC_URL, whether the proxy takes that path away or passes it on."""

from collections.abc import Callable, Iterable
from typing import Any

type Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def below(path: str, sub_path: str) -> str:
    """The path without the sub-path at its beginning; as it is where it has none."""
    is_below = path == sub_path or path.startswith(f"{sub_path}/")
    return (path[len(sub_path) :] or "/") if is_below else path


def with_sub_path(application: Application, sub_path: str) -> Application:
    """The WSGI application at this path (SCRIPT_NAME of PEP 3333); itself where the path is empty."""
    if not sub_path:
        return application

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ |= {"SCRIPT_NAME": sub_path, "PATH_INFO": below(environ.get("PATH_INFO", ""), sub_path)}
        return application(environ, start_response)

    return answer
