"""Bodies under Django, whatever WSGI server runs it: bounded on every path, and never a file on the disk."""

import tempfile
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from config.asgi import TAKING_BODIES
from config.wsgi import application

pytestmark = pytest.mark.django_db
PATHS = [
    "/",
    "/search",
    "/articles/a",
    "/health",
    "/stats",
    "/admin/",
    "/admin/login/",
    "/api/articles",
    "/nowhere",
]


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a file upload would be kept."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
def test_a_body_over_the_bound_is_refused_on_every_path_unread(path: str, method: str) -> None:
    body = BytesIO(b"x" * 100)
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "CONTENT_LENGTH": str(120 * 1024 * 1024),
        "CONTENT_TYPE": "multipart/form-data; boundary=b",
        "wsgi.input": body,
        "wsgi.url_scheme": "http",
    }
    statuses: list[str] = []
    application(environ, lambda status, headers, *_: statuses.append(status))
    assert statuses[0].startswith("413")
    assert body.tell() == 0


def test_a_file_is_refused_and_kept_nowhere(client: Client, spool: Path) -> None:
    upload = SimpleUploadedFile("a.bin", b"x" * 3 * 1024 * 1024)
    assert client.post("/admin/login/", {"username": "a", "file": upload}).status_code == 400
    assert Client(enforce_csrf_checks=True).post("/admin/login/", {"file": upload}).status_code in {400, 403}
    assert list(spool.iterdir()) == []


def test_a_form_in_parts_without_files_is_taken(client: Client, django_user_model: type[User]) -> None:
    django_user_model.objects.create_superuser("root", password="secret-enough-for-anybody")
    form = {
        "username": "root",
        "password": "secret-enough-for-anybody",
    }  # Django's client sends them in parts
    assert client.post("/admin/login/?next=/admin/", form).status_code == 302


def test_no_handler_could_write_a_file() -> None:
    assert settings.DATA_UPLOAD_MAX_NUMBER_FILES == 0
    assert not [name for name in settings.FILE_UPLOAD_HANDLERS if "Temporary" in name]


@pytest.mark.parametrize(
    "path", ["/", "/search", "/articles/a", "/health", "/stats", "/nowhere", "/.well-known/security.txt"]
)
def test_what_takes_no_body_would_do_nothing_with_one(client: Client, path: str) -> None:
    """The application server reads bodies below TAKING_BODIES only."""
    assert not path.startswith(TAKING_BODIES)
    assert client.post(path, {"a": "b"}).status_code in {401, 403, 404, 405}


def test_every_other_address_of_the_site_is_among_those_tried() -> None:
    tried = {
        "",
        "search",
        "articles/<str:slug>",
        "health",
        "stats",
        "^api(?:/.*)?$",
        ".well-known/security.txt",
    }
    known = {str(each.pattern) for each in get_resolver().url_patterns if isinstance(each, URLPattern)}
    nested = {f"/{each.pattern}" for each in get_resolver().url_patterns if isinstance(each, URLResolver)}
    assert known == tried
    assert nested == set(TAKING_BODIES)
