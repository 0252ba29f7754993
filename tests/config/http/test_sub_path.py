"""The site below a path, which a proxy takes away or passes on."""

from typing import Any

import pytest

from config.http.sub_path import below, with_sub_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/kb/api/articles", "/api/articles"),
        ("/kb/", "/"),
        ("/kb", "/"),
        ("/api/articles", "/api/articles"),
        ("/", "/"),
        ("/kbx/api", "/kbx/api"),
        ("/kb/kb/x", "/kb/x"),
    ],
)
def test_the_path_below(path: str, found: str) -> None:
    assert below(path, "/kb") == found
    assert below(path, "") == path


def seen(path: str, sub_path: str) -> tuple[str, str]:
    found: dict[str, Any] = {}

    def application(environ: dict[str, Any], _: Any) -> list[bytes]:
        found.update(environ)
        return []

    with_sub_path(application, sub_path)({"SCRIPT_NAME": "", "PATH_INFO": path}, None)
    return found["SCRIPT_NAME"], found["PATH_INFO"]


@pytest.mark.parametrize("path", ["/kb/admin/", "/admin/"])
def test_the_application_gets_both_parts(path: str) -> None:
    assert seen(path, "/kb") == ("/kb", "/admin/")


def test_at_the_root_nothing_changes() -> None:
    assert seen("/kb/admin/", "") == ("", "/kb/admin/")
