"""Every operation of the API with every set of scopes, and every address by GET."""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from drills.attack.target import Target

_SCOPES = ("read", "write", "ops")
_CANARY = "canary-that-only-readers-may-see"
_MOST_PAGES = 150
_METHODS = ("get", "post", "put", "patch", "delete")


def matrix(target: Target) -> list[str]:
    """Tokens of every set of scopes, and none, at every operation: only the scope that it names opens one."""
    target.save("Secret", _CANARY)
    with target.api() as api:
        operations = list(_operations(api.get("/api/openapi.json").json()))
    if len(operations) < 20:
        raise RuntimeError("the API describes too few operations")
    got = []
    for scopes in _sets():
        token = _token(target, scopes) if scopes else ""
        with target.client(token=token) as client:
            for method, path in operations:
                got += _judge(client, method, path, scopes)
    return got


def _sets() -> Iterator[tuple[str, ...]]:
    for count in range(len(_SCOPES)):
        yield from itertools.combinations(_SCOPES, count)


def _token(target: Target, scopes: tuple[str, ...]) -> str:
    words = [word for scope in scopes for word in ("--scope", scope)]
    done = target.manage("create_token", "-".join(scopes), *words)
    found = re.search(r"vp_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", done.stdout)
    if not found:
        raise RuntimeError(f"no token was made: {done.stdout}{done.stderr}")
    return found[0]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in document["paths"].items():
        yield from ((method, path) for method in methods if method in _METHODS)


def _judge(client: httpx.Client, method: str, path: str, scopes: tuple[str, ...]) -> list[str]:
    address = re.sub(r"\{slug\}", "secret", re.sub(r"\{(?!slug)\w+\}", "1", path))
    answer = client.request(method, address, json={} if method in ("post", "put", "patch") else None)
    needed = _scope_of(method, path)
    who = "+".join(scopes) or "nobody"
    got = []
    if needed not in scopes and answer.status_code not in (401, 403):
        got.append(f"{method.upper()} {path} needs {needed}; {who} got {answer.status_code}")
    if "read" not in scopes and _CANARY in answer.text:
        got.append(f"{method.upper()} {path} showed the text to {who}")
    if answer.status_code >= 500:
        got.append(f"{method.upper()} {path} answered {answer.status_code} to {who}")
    return got


def _scope_of(method: str, path: str) -> str:
    if path.startswith("/api/queue"):
        return "ops"
    return "read" if method == "get" or path == "/api/search" else "write"


def walk(target: Target) -> list[str]:
    """Every page that links lead to, by GET: nothing changes, nothing fails, and who is not signed in sees nothing."""
    with target.signed_in() as client, target.client() as stranger:
        before = _fingerprint(target)  # signing in is a change
        seen = _crawl(client)
        changed = _fingerprint(target) != before
        got = [f"{path} answered {status}" for path, status in seen.items() if status >= 500]
        for path in seen:
            if path.startswith("/admin/") and not path.startswith("/admin/login"):
                answer = stranger.get(path)
                got += [f"{path} is open"] if answer.status_code == 200 else []
    if len(seen) < 20:
        raise RuntimeError(f"only {len(seen)} pages were found")
    return got + (["a GET changed rows"] if changed else [])


def _crawl(client: httpx.Client) -> dict[str, int]:
    seen: dict[str, int] = {}
    waiting = ["/admin/", "/", "/api/docs"]
    while waiting and len(seen) < _MOST_PAGES:
        path = waiting.pop(0)
        if path in seen or path.startswith("/admin/logout"):
            continue
        answer = client.get(path, follow_redirects=False)
        seen[path] = answer.status_code
        links = [str(httpx.URL(path).join(link)) for link in re.findall(r'href="([^"#]*)', answer.text)[:200]]
        waiting += [
            link.replace("&amp;", "&") for link in links if link.startswith("/") and "/static/" not in link
        ]
    return seen


def _fingerprint(target: Target) -> list[tuple[Any, ...]]:
    tables = (
        "articles",
        "article_versions",
        "embedding_spaces",
        "api_tokens",
        "auth_user",
        "embedding_operations",
    )
    present = {row[0] for row in target.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    return [
        row
        for table in tables
        if table in present
        for row in target.sql(
            f"SELECT '{table}', md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM {table} t"
        )
    ]


def staff(target: Target) -> list[str]:
    """Staff without permissions, and staff who may only look, at every list with every action that an admin has."""
    got = []
    with target.signed_in() as admin:
        lists = {path: _actions(admin.get(path).text) for path in _lists(admin)}
    if sum(map(len, lists.values())) < 3:
        raise RuntimeError("the admin's lists have too few actions")
    for name, codenames in {"nobody": "-", "onlooker": "view_"}.items():
        _make_person(target, name, codenames)
        with target.client() as client:
            target.try_password(client, name, _PASSWORD)
            before = _fingerprint(target)
            for path, actions in lists.items():
                got += [f"{name} at {path}: {said}" for said in _act(client, path, actions)]
            got += [f"{name} changed rows"] if _fingerprint(target) != before else []
    return got


_PASSWORD = "a password of the drill, 1 of 2"
_PERSON = """
from django.contrib.auth.models import Permission, User
made = User.objects.create_user({name!r}, password={password!r}, is_staff=True)
made.user_permissions.set(Permission.objects.filter(codename__startswith={codenames!r}))
"""


def _make_person(target: Target, name: str, codenames: str) -> None:
    program = _PERSON.format(name=name, password=_PASSWORD, codenames=codenames)
    done = target.manage("shell", "-c", program)
    if done.returncode:
        raise RuntimeError(done.stderr)


def _lists(admin: httpx.Client) -> list[str]:
    links = re.findall(r'href="(/admin/[a-z_]+/[a-z_]+/)"', admin.get("/admin/").text)
    return sorted(set(links))


def _actions(page: str) -> list[str]:
    select = re.search(r'<select[^>]*name="action".*?</select>', page, re.DOTALL)
    return re.findall(r'value="(\w+)"', select[0]) if select else []


def _act(client: httpx.Client, path: str, actions: list[str]) -> list[str]:
    """Every action at the first rows, and an add, a change and a delete; what was let through."""
    fields = {
        "csrfmiddlewaretoken": client.cookies["csrftoken"],
        "_selected_action": ["1", "2"],
        "select_across": "0",
    }
    tries = [
        (path, {**fields, "action": action, "confirmed": "yes", "reason": "drill"}) for action in actions
    ]
    tries += [(f"{path}{page}", {**fields, "post": "yes"}) for page in ("add/", "1/change/", "1/delete/")]
    got = []
    for address, data in tries:
        status = client.post(address, data=data, headers={"Referer": str(client.base_url)}).status_code
        got += [f"a POST to {address} answered {status}"] if status >= 500 else []
    return got


ATTACKS: dict[str, Callable[[Target], list[str]]] = {
    "every operation with every set of scopes": matrix,
    "every page by GET": walk,
    "staff without the permission, at every action": staff,
}
