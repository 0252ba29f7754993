"""Making and ending API tokens in the admin."""

import re
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from access.models import ApiToken, Scope, State
from tests.admin_rows import make_person
from tests.factories import make_token
from tests.responses import Response

pytestmark = pytest.mark.django_db
LIST = reverse("admin:access_apitoken_changelist")
ADD = reverse("admin:access_apitoken_add")


RIGHTS = [f"access.{right}_apitoken" for right in ("add", "change", "view")]
FIELDS = {"name": "importer", "scopes": ["read", "write"], "expires_at_0": "", "expires_at_1": ""}
TEXT = re.compile(r"vp_[0-9a-f]{8}_[\w-]{43}")


@pytest.fixture
def keeper(client: Client) -> Client:
    covered = settings.API_SCOPE_PERMISSIONS
    client.force_login(make_person("ada", *RIGHTS, *covered["read"], *covered["write"]))
    return client


def post(client: Client, **fields: Any) -> Response:
    return client.post(ADD, FIELDS | fields)


def make_in_admin(client: Client, **fields: Any) -> str:
    """Makes a token; its text as the page shows it."""
    [text] = TEXT.findall(post(client, **fields).content.decode())
    return str(text)


def test_a_made_token_is_shown_and_works(keeper: Client) -> None:
    token = ApiToken.objects.authenticate(make_in_admin(keeper))
    assert token is not None
    assert (token.name, token.scopes) == ("importer", ["read", "write"])


def test_pages_name_it_as_people_write_it(keeper: Client) -> None:
    page = post(keeper).content.decode()
    assert "Copy the token “importer” now" in page
    listed = keeper.get(LIST).content.decode()
    assert "API tokens" in listed
    assert "pi token" not in listed
    assert "Allowed from" in keeper.get(ADD).content.decode()


def test_its_text_is_shown_once_and_kept_nowhere(keeper: Client) -> None:
    text = make_in_admin(keeper)
    token = ApiToken.objects.get()
    pages = [LIST, reverse("admin:access_apitoken_change", args=[token.pk])]
    for page in pages:
        shown = keeper.get(page).content.decode()
        assert text not in shown
        assert token.secret_hash not in shown
    assert all(text not in entry.change_message + entry.object_repr for entry in LogEntry.objects.all())


def test_it_is_shown_in_the_answer_to_its_post_alone(keeper: Client) -> None:
    response = post(keeper)
    [text] = TEXT.findall(response.content.decode())
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    told = [*response.cookies.values(), *response.headers.items(), *keeper.session.items()]
    assert text not in str(told)
    later = keeper.get(LIST)
    assert TEXT.search(later.content.decode() + str(later.cookies)) is None


def test_no_message_travels_in_a_cookie(keeper: Client) -> None:
    make_in_admin(keeper)
    response = revoke(keeper, ApiToken.objects.get(), confirmed="yes")
    assert response.status_code == 302
    assert "messages" not in response.cookies
    assert "1 revoked: importer" in keeper.get(LIST).content.decode()


def test_who_made_a_token_and_from_where_it_may_be_used_is_listed(keeper: Client) -> None:
    make_in_admin(keeper, allow_from="10.0.0.0/8\n203.0.113.9, 2001:db8::/32")
    token = ApiToken.objects.get()
    assert (token.created_by, token.allow_from) == ("ada", ["10.0.0.0/8", "203.0.113.9/32", "2001:db8::/32"])
    page = keeper.get(LIST).content.decode()
    assert "10.0.0.0/8, 203.0.113.9/32" in page


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("allow_from", "10.0.0.1/8", "is not an address or a network"),
        ("allow_from", "everywhere", "is not an address or a network"),
        ("allow_from", "10.0.0.1,\n" * 51, "at most 50 are possible"),
        ("expires_at_0", "2001-01-01", "in the past"),
        ("name", "a\u202eb", "printable characters"),
        ("name", "AUTH_TOKEN", "belongs to the token in that setting"),
    ],
)
def test_an_error_in_the_token_form_is_shown_beside_its_field(
    keeper: Client, field: str, value: str, says: str
) -> None:
    more = {"expires_at_1": "00:00:00"} if field == "expires_at_0" else {}
    response = post(keeper, **{field: value}, **more)
    assert says in response.content.decode()
    assert not ApiToken.objects.exists()


def test_the_form_proposes_an_end(keeper: Client, settings: Settings) -> None:
    year = timezone.now() + timedelta(days=settings.API_TOKEN_DAYS)
    assert f'value="{year:%Y-%m-%d}"' in keeper.get(ADD).content.decode()
    settings.API_TOKEN_DAYS = 0
    assert f'value="{year:%Y-%m-%d}"' not in keeper.get(ADD).content.decode()


@pytest.mark.parametrize("scope", list(Scope))
def test_a_person_gives_only_scopes_that_their_own_permissions_cover(client: Client, scope: Scope) -> None:
    covering = settings.API_SCOPE_PERMISSIONS[scope]
    for lacking in covering:
        client.force_login(make_person(f"no-{lacking}", *RIGHTS, *(set(covering) - {lacking})))
        assert f'value="{scope}"' not in client.get(ADD).content.decode()
        refusal = post(client, scopes=[scope]).content.decode()
        assert f"Your own permissions do not cover the scope {scope}." in refusal
        assert f"you lack {lacking}" in refusal
        assert not ApiToken.objects.exists()
    client.force_login(make_person("covered", *RIGHTS, *covering))
    make_in_admin(client, scopes=[scope])


def test_a_superuser_gives_every_scope(admin_client: Client) -> None:
    make_in_admin(admin_client, scopes=Scope.values)


def test_every_scope_has_its_permissions_and_they_exist() -> None:
    assert set(settings.API_SCOPE_PERMISSIONS) == set(Scope.values)
    for permission in chain(*settings.API_SCOPE_PERMISSIONS.values()):
        app, codename = permission.split(".")
        assert Permission.objects.filter(content_type__app_label=app, codename=codename).exists(), permission


def test_a_token_is_never_deleted(admin_client: Client) -> None:
    token, _ = make_token()
    url = reverse("admin:access_apitoken_delete", args=[token.pk])
    assert admin_client.post(url, {"post": "yes"}).status_code == 403
    revoke(admin_client, token, action="delete_selected", post="yes")
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "usable"),
        ({"expires_at": Now() + timedelta(days=15)}, "usable"),
        ({"expires_at": Now() + timedelta(days=13)}, "expiring"),
        ({"expires_at": Now()}, "expired"),
        ({"expires_at": Now(), "revoked_at": Now()}, "revoked"),
    ],
)
def test_its_state_is_shown(keeper: Client, fields: dict[str, Any], state: str) -> None:
    make_token(**fields)
    page = keeper.get(LIST).content.decode()
    assert [known for known in State.values if re.search(rf">\s*{known}\s*<", page)] == [state]


def test_a_made_token_cannot_be_changed(keeper: Client) -> None:
    make_in_admin(keeper)
    token = ApiToken.objects.get()
    keeper.post(reverse("admin:access_apitoken_change", args=[token.pk]), {"name": "x", "scopes": ["ops"]})
    token.refresh_from_db()
    assert (token.name, token.scopes) == ("importer", ["read", "write"])


@pytest.mark.parametrize("scopes", [[], ["everything"]])
def test_a_token_needs_known_scopes(keeper: Client, scopes: list[str]) -> None:
    assert keeper.post(ADD, {"name": "importer", "scopes": scopes}).status_code == 200
    assert not ApiToken.objects.exists()


def revoke(client: Client, token: ApiToken, **fields: Any) -> Response:
    return client.post(LIST, {"action": "revoke_tokens", "_selected_action": [token.pk]} | fields)


def test_a_token_is_revoked_after_being_asked(keeper: Client) -> None:
    text = make_in_admin(keeper)
    token = ApiToken.objects.get()
    assert "Revoke 1 token?" in revoke(keeper, token).content.decode()
    assert ApiToken.objects.authenticate(text)
    revoke(keeper, token, confirmed="yes")
    assert ApiToken.objects.authenticate(text) is None
    assert LogEntry.objects.filter(change_message="Revoked.").count() == 1


def test_the_page_of_a_token_has_nothing_to_save_and_a_button_to_revoke_it(
    keeper: Client, client: Client
) -> None:
    text = make_in_admin(keeper)
    token = ApiToken.objects.get()
    url = reverse("admin:access_apitoken_change", args=[token.pk])
    page = keeper.get(url).content.decode()
    assert re.search(r'name="_(save|continue|addanother)"', page) is None
    assert not [hint for hint in ("never, when empty", "who or what uses") if hint in page]
    [form] = re.findall(r'<form method="post" action="([^"]*)" class="vp-ask">.*?Revoke', page, re.DOTALL)
    fields = dict(re.findall(r'name="(action|_selected_action)" value="([^"]*)"', page))
    assert "Revoke 1 token?" in keeper.post(form, fields).content.decode()
    assert ApiToken.objects.authenticate(text)
    keeper.post(form, fields | {"confirmed": "yes"})
    assert ApiToken.objects.authenticate(text) is None
    assert 'value="revoke_tokens"' not in keeper.get(url).content.decode()
    other, _ = make_token()
    client.force_login(make_person("bob", "access.view_apitoken"))
    shown = client.get(reverse("admin:access_apitoken_change", args=[other.pk])).content.decode()
    assert 'value="revoke_tokens"' not in shown


def test_a_viewer_cannot_revoke(keeper: Client, client: Client) -> None:
    text = make_in_admin(keeper)
    client.force_login(make_person("bob", "access.view_apitoken"))
    assert "revoke_tokens" not in client.get(LIST).content.decode()
    revoke(client, ApiToken.objects.get(), confirmed="yes")
    assert ApiToken.objects.authenticate(text)
