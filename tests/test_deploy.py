"""The files for the servers in front: complete, and bounded as Vectorpress itself is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from config.asgi import LIMITS
from config.stack import services
from tests.paths import ROOT

FOLDER = ROOT / "deploy"
NGINX = (FOLDER / "nginx.conf").read_text()
PASSING_ON = (FOLDER / "vectorpress-proxy.inc").read_text()
CADDY = (FOLDER / "Caddyfile").read_text()
FORWARDED = [
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Real-IP",
    "Forwarded",
]


def nginx(name: str) -> str:
    """The value of a directive that stands once."""
    found = re.findall(rf"^\s*{name} ([^;]+);", NGINX + PASSING_ON, re.MULTILINE)
    assert len(found) == 1, f"{name}: {found}"
    return str(found[0])


def caddy(name: str) -> str:
    found = re.findall(rf"^\s*{name} (\S+)", CADDY, re.MULTILINE)
    assert len(found) == 1, f"{name}: {found}"
    return str(found[0])


def test_the_bounds_of_bodies_are_ours() -> None:
    mebibytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2
    assert nginx("client_max_body_size") == f"{mebibytes}m"
    assert caddy("max_size") == caddy("request_buffers") == f"{mebibytes}MiB"


def test_the_deadlines_are_ours() -> None:
    assert nginx("client_header_timeout") == f"{services.SECONDS_FOR_HEADERS:g}s" == caddy("read_header")
    assert nginx("client_body_timeout") == f"{LIMITS.body_seconds:g}s"
    assert nginx("send_timeout") == f"{LIMITS.write_seconds:g}s"
    whole = LIMITS.body_seconds + LIMITS.body_bytes / LIMITS.body_bytes_per_second
    assert caddy("read_body") == "2m"
    assert 100 < whole < 120


def test_idle_connections_are_ended_from_the_proxys_side() -> None:
    """Else a request could be sent into a connection that Vectorpress is just ending."""
    for seconds in (caddy("keepalive"), re.findall(r"^    keepalive_timeout (\w+);", NGINX, re.MULTILINE)[0]):
        assert float(seconds.removesuffix("s")) < services.SECONDS_FOR_HEADERS


def test_bodies_are_buffered_and_every_location_passes_on_alike() -> None:
    assert nginx("proxy_request_buffering") == "on"
    locations = re.findall(r"location [^{]+\{(.*?)\n    \}", NGINX, re.DOTALL)
    assert len(locations) == 3
    assert all("include /etc/nginx/conf.d/vectorpress-proxy.inc;" in body for body in locations)


@pytest.mark.parametrize("header", FORWARDED)
def test_no_forwarded_header_of_a_client_arrives(header: str) -> None:
    ours = {"X-Forwarded-For": "$remote_addr", "X-Forwarded-Proto": "$scheme"}.get(header, '""')
    assert f"proxy_set_header {header} {ours};" in PASSING_ON
    assert "proxy_add_x_forwarded_for" not in PASSING_ON
    assert header in ("X-Forwarded-For", "X-Forwarded-Proto") or f"header_up -{header}\n" in CADDY
    assert not re.search(r"^\s*trusted_proxies", CADDY, re.MULTILINE)


def test_one_address_gets_so_many_connections_and_health_is_not_held_back() -> None:
    assert nginx("limit_conn") == "vectorpress_connections 50"
    health = NGINX.partition("location = /health {")[2]
    assert "limit_req" not in health


def test_tls_is_on() -> None:
    assert "listen 443 ssl;" in NGINX
    assert nginx("ssl_protocols") == "TLSv1.2 TLSv1.3"
    assert re.search(r"^articles\.example\.org \{", CADDY, re.MULTILINE), (
        "Caddy gets a certificate for a bare name"
    )


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("nginx") or not shutil.which("openssl"), reason="nginx is not installed")
def test_nginx_takes_its_file(tmp_path: Path) -> None:
    pair = ["-keyout", str(tmp_path / "privkey.pem"), "-out", str(tmp_path / "fullchain.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", *pair],
        check=True,
        capture_output=True,
    )
    for name, text in (("site.conf", NGINX), ("vectorpress-proxy.inc", PASSING_ON)):
        text = text.replace("/etc/nginx/conf.d", str(tmp_path))
        text = text.replace("/etc/letsencrypt/live/articles.example.org", str(tmp_path))
        (tmp_path / name).write_text(text)
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ include {tmp_path}/site.conf; }}\n")
    done = subprocess.run(["nginx", "-t", "-c", str(main)], capture_output=True, text=True)
    assert "syntax is ok" in done.stderr, done.stderr  # its own folders need not exist here
