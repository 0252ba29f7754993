"""Assembles the REST API from the apps' routers, and completes its OpenAPI document."""

import json
import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import NinjaAPI, Router, Swagger
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from access.auth import Bearer, may_read
from access.models import Scope
from articles.api import routes as articles_api
from config.http import problems
from config.http.json_bodies import JsonParser, JsonRenderer
from config.http.ninja_fast_path import lean
from embeddings import api as search_api
from queueops.api import article_embedding as queue_api
from queueops.api import queue as queue_rest
from queueops.monitoring.article_status import embedding_states, state_of_new

DESCRIPTION = """Articles are saved at once and become searchable by meaning moments later.

Send a token with each request: `Authorization: Bearer TOKEN`. Each operation names the scope that it wants; `write`
does not include `read`. Errors are problem documents (RFC 9457). HEAD is possible wherever GET is."""
_TAGS = [
    {"name": "articles", "description": "The texts that people see, and their versions"},
    {"name": "queue", "description": "The work that makes articles searchable by meaning, for operators"},
    {"name": "search", "description": "Articles by meaning, by keywords, or both"},
]

_REFERENCE = re.compile(r'"#/components/schemas/(\w+)"')
_PROBLEM = {
    "type": "object",
    "description": "what went wrong (RFC 9457)",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "required": ["field", "message"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
}
_ALWAYS = {
    400: "The request cannot be read",
    401: "No token, or none that can be used",
    403: "The token lacks the scope",
    422: "A field is out of its bounds",
    429: "Too many requests",
    503: "The database does not answer, or refuses",
}
_WITH_SLUG = {404: "No such article or version"}
_WITH_ID = {404: "No such task or operation"}
_ON_ACT = {409: "It cannot be done to it as it is now"}
_WITH_BODY = {413: "The body is too large", 415: "The body is not JSON, or compressed"}
_WITH_CONDITION = {412: "The article has changed since"}
_ON_CREATE = {409: "Another article has the slug"}


class _Document(OpenAPISchema):
    """Ninja's description with the scope that each operation wants, which ninja leaves out, and without HEAD."""

    def methods(self, operations: list[Operation]) -> dict[str, Any]:
        found: dict[str, Any] = super().methods(operations)
        return {method: operation for method, operation in found.items() if method != "head"}

    def operation_security(self, operation: Operation) -> list[dict[str, Any]] | None:
        found = super().operation_security(operation)
        for named, auth in zip(found or [], operation.auth_callbacks, strict=True):
            if isinstance(auth, Bearer):
                named[Bearer.__name__] = [auth.scope]
        return found


class Api(NinjaAPI):
    """Ninja's API with problem documents in its description, and operations named by their functions."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name that generated clients give to the operation: it outlives a move of its function."""
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        # below the server's address, whose path it does not repeat
        root = self.get_root_path(path_params or {}).removeprefix(settings.SUB_PATH)
        schema = _Document(self, root if path_prefix is None else path_prefix)
        schema["components"]["schemas"]["Problem"] = _PROBLEM
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                operation["responses"] |= _problems(path, method, operation)
        _drop_unused(schema)
        return schema


def _drop_unused(document: dict[str, Any]) -> None:
    """Removes schemas to which nothing refers: groups of query parameters, whose fields stand with each operation."""
    schemas = document["components"]["schemas"]
    while unused := schemas.keys() - set(_REFERENCE.findall(json.dumps(document))):
        for name in unused:
            del schemas[name]


def _problems(path: str, method: str, operation: dict[str, Any]) -> dict[int, Any]:
    """The problems an operation may return, as responses."""
    found = dict(_ALWAYS)
    if "{slug}" in path:
        found |= _WITH_SLUG
    if "_id}" in path:
        found |= _WITH_ID
    if method == "post" and "/queue/" in path:
        found |= _ON_ACT
    if "requestBody" in operation:
        found |= _WITH_BODY
    if any(parameter["name"] == "If-Match" for parameter in operation["parameters"]):
        found |= _WITH_CONDITION
    if 201 in operation["responses"]:
        found |= _ON_CREATE
    content = {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": words, "content": content} for status, words in sorted(found.items())}


def _with_head(router: Router) -> Router:
    """The router with HEAD wherever GET is (RFC 9110, section 9.1); the server leaves out the body."""
    for view in router.path_operations.values():
        for operation in view.operations:
            if "GET" in operation.methods:
                operation.methods.append("HEAD")
    return router


def build_api() -> Api:
    """The API with every route; `.urls` goes into the site's URLs."""
    read, write, ops = Bearer(Scope.READ), Bearer(Scope.WRITE), Bearer(Scope.OPS)
    api = Api(
        title="Vectorpress",
        version="1",
        description=DESCRIPTION,
        urls_namespace="api",
        servers=[{"url": settings.PUBLIC_URL or "/"}],
        openapi_extra={"tags": _TAGS},
        renderer=JsonRenderer(),
        parser=JsonParser(),
        docs=Swagger(settings={"persistAuthorization": True, "validatorUrl": None}),
    )
    problems.add_handlers(api)
    articles = articles_api.build_router(
        embedding_states, state_of_new, read=read, write=write, may_read=may_read
    )
    routers = [
        ("/articles", lean(articles)),
        ("/articles", queue_api.build_router(read=read)),
        ("/queue", queue_rest.build_router(ops=ops, may_read=may_read)),
        ("/search", lean(search_api.build_router(read=read))),
    ]
    for prefix, router in routers:
        api.add_router(prefix, _with_head(router))
    return api


api = build_api()


def unknown_path(request: HttpRequest, **_: Any) -> Any:
    """Every other path under /api."""
    return problems.not_found(request)
