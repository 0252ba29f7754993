"""What tests of the API start from: tokens, and clients that hold them; plain functions."""

import json
from typing import Any

from django.conf import settings
from django.test import Client

from access.models import ApiToken, Scope
from tests.responses import Response


def make_token(*scopes: Scope, name: str = "a test", **fields: Any) -> tuple[ApiToken, str]:
    """A token with these scopes, all by default, and its text."""
    return ApiToken.objects.issue(name, [scope.value for scope in scopes or Scope], **fields)


class Api:
    """The API below /api as a client with a token sees it; bodies are JSON unless they are bytes."""

    def __init__(self, token: str | None = None) -> None:
        self.token = settings.AUTH_TOKEN if token is None else token
        self.client = Client(raise_request_exception=False)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """Header names are written with underscores: `if_match="…"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named.setdefault("authorization", f"Bearer {self.token}")
        content_type = named.pop("content-type", "application/json")
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        return self.client.generic(method, f"/api{path}", data, content_type, headers=named)

    def get(self, path: str, **headers: str) -> Response:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Response:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Response:
        return self.call("PUT", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Response:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Response:
        return self.call("DELETE", path, **headers)


def problem(response: Response, status: int) -> dict[str, Any]:
    """The problem document of an answer, after a look at its form (RFC 9457)."""
    assert response.status_code == status, (response.status_code, response.content[:500])
    assert response["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(response.content)
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    return document


def body(response: Response, status: int = 200) -> Any:
    """The JSON of an answer that is no problem."""
    assert response.status_code == status, (response.status_code, response.content[:500])
    assert response["Content-Type"].startswith("application/json")
    return json.loads(response.content)
