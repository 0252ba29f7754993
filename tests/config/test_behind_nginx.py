"""A stack below a path, behind a real nginx with the file of deploy/: links, login, the API, cookies and redirects."""

import html
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.config.live_processes import free_port
from tests.config.stack.stacks import Stack
from tests.paths import ROOT
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("nginx") or not shutil.which("openssl"), reason="nginx is not installed"
    ),
]
TOKEN = "a-token-of-the-tests-behind-nginx-0123456789"
SUB_PATH = "/kb"
LINKS = re.compile(r"""\s(?:href|src|action|data-results)=["']([^"']*)["']""")


class Site:
    """The addresses of the stack: below SUB_PATH through nginx, which passes the path on at one port and takes it away
    at the other, and the stack's own."""

    def __init__(self, folder: Path) -> None:
        self.own, self.passing, self.taking, self.plain = (free_port() for _ in range(4))
        self.data_dir = folder / "var"
        self.origins = [f"https://localhost:{port}" for port in (self.passing, self.taking)]
        self.stack = Stack(
            self.data_dir,
            self.own,
            PUBLIC_URL=self.origins[0] + SUB_PATH,
            CSRF_TRUSTED_ORIGINS=self.origins[1],
            AUTH_TOKEN=TOKEN,
            EMBEDDING_QUEUE_ENABLED="false",
            SEMANTIC_SEARCH_ENABLED="false",
        )

    def nginx_file(self, folder: Path) -> Path:
        """The file of deploy/ with our ports, certificate and path, and a second server that takes the path away."""
        text = (ROOT / "deploy/nginx.conf").read_text()
        for old, new in (
            ("127.0.0.1:8000", f"127.0.0.1:{self.own}"),
            ("/etc/nginx/conf.d", str(folder)),
            ("/etc/letsencrypt/live/articles.example.org", str(folder)),
            ("articles.example.org", "localhost"),
            ("listen 80;", f"listen 127.0.0.1:{self.plain};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.passing} ssl;"),
            ("    listen [::]:80;\n", ""),
            ("    listen [::]:443 ssl;\n", ""),
            ("location / {", f"location {SUB_PATH}/ {{"),
            ("location = /", f"location = {SUB_PATH}/"),
        ):
            assert old in text, old
            text = text.replace(old, new)
        second = text[text.index(f"server {{\n    listen 127.0.0.1:{self.passing}") :]
        second = second.replace(f":{self.passing} ssl", f":{self.taking} ssl")
        second = re.sub(rf"location = {SUB_PATH}/\S+ \{{.*?\n    \}}", "", second, flags=re.DOTALL)
        second = second.replace("proxy_pass http://vectorpress;", "proxy_pass http://vectorpress/;")
        (folder / "site.conf").write_text(text + second)
        include = (ROOT / "deploy/vectorpress-proxy.inc").read_text()
        (folder / "vectorpress-proxy.inc").write_text(include)
        places = "".join(
            f"{name}_temp_path {folder}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""
        main = folder / "nginx.conf"
        main.write_text(
            f"{user} pid {folder}/pid; daemon off; error_log {folder}/error.log; events {{}}\n"
            f"http {{ access_log off; {places} include {folder}/site.conf; }}\n"
        )
        return main


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="vectorpress-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        running = Site(folder)
        try:
            running.stack.await_line("stop    Ctrl-C")
            with nginx(running, folder):
                yield running
        finally:
            running.stack.end()


@pytest.fixture(params=["passing", "taking"])
def browser(request: pytest.FixtureRequest, site: Site) -> Iterator[httpx.Client]:
    origin = site.origins[request.param == "taking"]
    with httpx.Client(base_url=origin, verify=False, timeout=60, trust_env=False) as client:
        yield client


@contextmanager
def nginx(site: Site, folder: Path) -> Iterator[None]:
    pair = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", *pair]
    subprocess.run(command, check=True, capture_output=True)
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(site.nginx_file(folder))])
    try:
        wait_until(lambda: (folder / "pid").exists() or process.poll() is not None, 30, "nginx")
        assert process.poll() is None, (folder / "error.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait()


def crawl(browser: httpx.Client, start: str, most: int = 200) -> set[str]:
    """The paths of all pages and files that can be reached from here. Fails at one that leads out or is broken."""
    found: set[str] = set()
    left = [start]
    while left and len(found) < most:
        path = left.pop(0)
        if path in found or "logout" in path:
            continue
        found.add(path)
        reply = browser.get(path)
        assert reply.status_code < 400, (path, reply.status_code)
        if reply.is_redirect:
            left.append(inside(path, reply.headers["Location"]))
        elif reply.headers["Content-Type"].startswith("text/html"):
            left += [inside(path, html.unescape(link)) for link in LINKS.findall(reply.text) if is_ours(link)]
    return found


def is_ours(link: str) -> bool:
    return bool(link) and not link.startswith(("#", "http://", "https://", "data:", "mailto:", "javascript:"))


def inside(page: str, link: str) -> str:
    parts = urlsplit(urljoin(page, link))
    assert parts.path == SUB_PATH or parts.path.startswith(f"{SUB_PATH}/"), f"{page} leads to {link}"
    return parts.path


def sign_in(browser: httpx.Client, site: Site, **headers: str) -> httpx.Response:
    name, password = (site.data_dir / "admin_login").read_text().split()
    path = f"{SUB_PATH}/admin/login/"
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(path).text)[0]
    fields = {
        "username": name,
        "password": password,
        "csrfmiddlewaretoken": token,
        "next": f"{SUB_PATH}/admin/",
    }
    origin = str(browser.base_url).rstrip("/")
    return browser.post(path, data=fields, headers={"origin": origin, "referer": origin + path} | headers)


def test_no_link_of_a_strangers_page_leads_out(browser: httpx.Client) -> None:
    found = crawl(browser, f"{SUB_PATH}/")
    assert {f"{SUB_PATH}/static/pages/style.css", f"{SUB_PATH}/api/docs", f"{SUB_PATH}/admin/login/"} <= found


def test_a_person_signs_in_and_no_link_of_the_admin_leads_out(browser: httpx.Client, site: Site) -> None:
    reply = sign_in(browser, site)
    assert (reply.status_code, reply.headers["Location"]) == (302, f"{SUB_PATH}/admin/")
    for cookie in [*reply.headers.get_list("set-cookie")]:
        assert f"Path={SUB_PATH}/;" in cookie
        assert "Secure" in cookie
    assert len(crawl(browser, f"{SUB_PATH}/admin/")) > 20


def test_a_login_from_an_unknown_origin_names_the_setting(browser: httpx.Client, site: Site) -> None:
    reply = sign_in(browser, site, origin="https://elsewhere.example", referer="https://elsewhere.example/")
    assert reply.status_code == 403
    assert "PUBLIC_URL=https://elsewhere.example" in reply.text


def test_the_api_names_addresses_below_the_path(browser: httpx.Client, site: Site) -> None:
    browser.headers["authorization"] = f"Bearer {TOKEN}"
    slug = f"article-{browser.base_url.port}"
    saved = browser.post(f"{SUB_PATH}/api/articles", json={"title": "An article", "slug": slug})
    assert (saved.status_code, saved.headers["Location"]) == (201, f"{SUB_PATH}/api/articles/{slug}")
    assert browser.get(saved.headers["Location"]).json()["title"] == "An article"
    assert browser.post(f"{SUB_PATH}/api/search", json={"query": "article", "mode": "keyword"}).json()[
        "results"
    ]
    document = browser.get(f"{SUB_PATH}/api/openapi.json").json()
    assert document["servers"] == [{"url": site.origins[0] + SUB_PATH}]
    assert "/api/articles" in document["paths"]
    assert f'"{SUB_PATH}/api/openapi.json"' in browser.get(f"{SUB_PATH}/api/docs").text


def test_the_api_passes_on_what_clients_send_in_unusual_ways(browser: httpx.Client) -> None:
    browser.headers["authorization"] = f"Bearer {TOKEN}"
    path = f"{SUB_PATH}/api/search"
    body = b'{"query": "article", "mode": "keyword"}'
    headers = {"content-type": "application/json", "expect": "100-continue"}
    pieces = (body[at : at + 10] for at in range(0, len(body), 10))
    assert browser.post(path, content=pieces, headers=headers).status_code == 200
    assert browser.post(path, content=body, headers=headers | {"content-encoding": "gzip"}).status_code == 415
    assert browser.post(path, content=b"\xff" + body, headers=headers).status_code == 400
    assert browser.head(f"{SUB_PATH}/api/articles").status_code == 200


def test_http_leads_to_https(site: Site) -> None:
    with httpx.Client(base_url=f"http://localhost:{site.plain}", trust_env=False) as client:
        reply = client.get(f"{SUB_PATH}/search?q=x")
        assert (reply.status_code, reply.headers["Location"]) == (
            301,
            f"https://localhost{SUB_PATH}/search?q=x",
        )
    with httpx.Client(base_url=f"http://localhost:{site.own}", trust_env=False) as client:
        reply = client.get("/search?q=x")
        assert (reply.status_code, reply.headers["Location"]) == (
            301,
            f"{site.origins[0]}{SUB_PATH}/search?q=x",
        )
        assert [client.get(path).status_code for path in ("/health", f"{SUB_PATH}/health")] == [200, 200]
