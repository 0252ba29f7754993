"""Who a trusted proxy names is signed in, if there is an account; nobody else's word counts."""

from ipaddress import ip_network

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from access.second_factor import PROXY_BACKEND
from access.sessions import Session
from config import env, security_log
from queueops.models import AuditLog
from tests.access.conftest import fresh_attempts  # noqa: F401  a fixture
from tests.access.people import make_ada, make_device, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_attempts")]
PROXY = "10.0.0.1"


@pytest.fixture(autouse=True)
def behind_a_proxy(settings: Settings) -> None:
    settings.PROXY_USER_HEADER = "X-Forwarded-User"
    settings.TRUSTED_PROXIES = [ip_network(PROXY)]
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, PROXY_BACKEND]


@pytest.fixture
def ada() -> User:
    return make_ada()


def opened(
    client: Client,
    name: str | None = None,
    peer: str = PROXY,
    header: str = "x-forwarded-user",
    path: str = "/admin/",
) -> bool:
    headers = {"x-forwarded-for": "198.51.100.5"} | ({header: name} if name is not None else {})
    return client.get(path, headers=headers, REMOTE_ADDR=peer).status_code == 200


def test_a_trusted_proxy_says_who_is_there(client: Client, ada: User) -> None:
    assert opened(client, "ada")
    row = Session.objects.get(user=ada)
    assert row.address == "198.51.100.5"


@pytest.mark.parametrize("peer", ["203.0.113.5", "127.0.0.1", "10.0.0.2", ""])
def test_a_stranger_is_not_believed(client: Client, ada: User, peer: str) -> None:
    assert not opened(client, "ada", peer=peer)
    assert not opened(client, "ada", peer=peer, header="X_Forwarded_User")
    assert not Session.objects.exists()


def test_the_session_ends_when_the_header_goes_or_names_another(client: Client, ada: User) -> None:
    assert opened(client, "ada")
    assert not opened(client)
    assert opened(client, "ada")
    assert not opened(client, "nobody")
    assert opened(client, "ada")
    assert not opened(client, "ada", peer="203.0.113.5")


def test_only_active_accounts_that_exist_are_signed_in_and_none_is_made(client: Client, ada: User) -> None:
    User.objects.create_superuser("gone", password="x", is_active=False)
    User.objects.create_user("reader", password="x")
    for name in ("nobody", "gone", "reader", "ADA", "ada,ada", "", " ", "ada\x00", "x" * 5_000):
        assert not opened(Client(), name), name
    assert set(User.objects.values_list("username", flat=True)) == {"ada", "gone", "reader"}
    assert not User.objects.get(username="reader").is_staff


def test_the_header_gives_no_more_rights_than_the_account_has(client: Client) -> None:
    User.objects.create_user("clerk", password="x", is_staff=True)
    assert opened(client, "clerk")
    assert not opened(client, "clerk", path="/admin/auth/user/")


def test_the_identity_provider_asks_for_the_second_factor(
    client: Client, ada: User, settings: Settings
) -> None:
    settings.STAFF_SECOND_FACTOR = "required"
    assert opened(client, "ada")
    make_device(ada)
    assert opened(client, "ada")


def test_the_password_form_stays(client: Client, ada: User) -> None:
    assert sign_in(client, address=PROXY).status_code == 302
    assert client.get("/admin/", REMOTE_ADDR=PROXY).status_code == 200


def test_the_header_is_nothing_to_the_api(client: Client, ada: User) -> None:
    reply = client.get("/api/articles", headers={"x-forwarded-user": "ada"}, REMOTE_ADDR=PROXY)
    assert reply.status_code == 401


def test_by_default_the_header_is_nothing(client: Client, ada: User, settings: Settings) -> None:
    settings.PROXY_USER_HEADER = ""
    assert not opened(client, "ada")


def test_a_setting_turned_off_ends_the_sessions_it_made(
    client: Client, ada: User, settings: Settings
) -> None:
    assert opened(client, "ada")
    settings.PROXY_USER_HEADER, settings.AUTHENTICATION_BACKENDS = "", settings.AUTHENTICATION_BACKENDS[:1]
    assert not opened(client, "ada")


@pytest.mark.parametrize("value", ["X Forwarded", "X-User:", "1", "X\nY", "é", "x" * 70])
def test_the_name_of_a_header_is_checked(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PROXY_USER_HEADER", value)
    with pytest.raises(ImproperlyConfigured, match="PROXY_USER_HEADER"):
        env.header("PROXY_USER_HEADER")


def call_without_cookies(path: str, times: int = 10) -> list[int]:
    return [
        Client().get(path, headers={"x-forwarded-user": "ada"}, REMOTE_ADDR=PROXY).status_code
        for _ in range(times)
    ]


def audited() -> int:
    return AuditLog.objects.filter(category="access").count()


@pytest.mark.parametrize("is_public", [True, False])
@pytest.mark.parametrize(
    "path", ["/health", "/stats", "/api/articles", "/static/x.css", "/.well-known/security.txt"]
)
def test_where_no_person_is_needed_the_header_begins_no_session(
    ada: User, settings: Settings, path: str, is_public: bool
) -> None:
    settings.PUBLIC_SEARCH = is_public
    call_without_cookies(path)
    assert (Session.objects.count(), audited()) == (0, 0)


@pytest.mark.parametrize("path", ["/", "/search", "/articles/x"])
def test_the_public_pages_need_a_person_only_while_they_are_closed(
    ada: User, settings: Settings, path: str
) -> None:
    settings.PUBLIC_SEARCH = True
    call_without_cookies(path, 1)
    assert not Session.objects.exists()
    settings.PUBLIC_SEARCH = False
    assert call_without_cookies(path, 1) != [302]
    assert Session.objects.filter(user=ada).exists()


def test_repeated_sign_ins_without_cookies_leave_one_row_a_minute(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security_log, "_repeats", security_log.Repeats())
    assert call_without_cookies("/admin/") == [200] * 10
    assert audited() == 1
