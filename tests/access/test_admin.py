"""Making and ending API tokens in the admin."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from access.models import ApiToken
from tests.backoffice import make_person

pytestmark = pytest.mark.django_db
LIST = reverse("admin:access_apitoken_changelist")
ADD = reverse("admin:access_apitoken_add")


@pytest.fixture
def keeper(client):
    rights = ("add", "change", "view")
    client.force_login(make_person("ada", *(f"access.{right}_apitoken" for right in rights)))
    return client


def make_in_admin(client):
    """Makes a token; its text as the page shows it."""
    fields = {"name": "importer", "scopes": ["read", "write"], "expires_at_0": "", "expires_at_1": ""}
    page = client.post(ADD, fields, follow=True).content.decode()
    [text] = re.findall(r"vp_[0-9a-f]{8}_[\w-]{43}", page)
    return text


def test_a_made_token_is_shown_and_works(keeper):
    token = ApiToken.objects.authenticate(make_in_admin(keeper))
    assert token is not None
    assert (token.name, token.scopes) == ("importer", ["read", "write"])


def test_its_text_is_shown_once_and_kept_nowhere(keeper):
    text = make_in_admin(keeper)
    token = ApiToken.objects.get()
    pages = [LIST, reverse("admin:access_apitoken_change", args=[token.pk])]
    for page in pages:
        shown = keeper.get(page).content.decode()
        assert text not in shown
        assert token.secret_hash not in shown
    assert all(text not in entry.change_message + entry.object_repr for entry in LogEntry.objects.all())


def test_a_made_token_cannot_be_changed(keeper):
    make_in_admin(keeper)
    token = ApiToken.objects.get()
    keeper.post(reverse("admin:access_apitoken_change", args=[token.pk]), {"name": "x", "scopes": ["ops"]})
    token.refresh_from_db()
    assert (token.name, token.scopes) == ("importer", ["read", "write"])


@pytest.mark.parametrize("scopes", [[], ["everything"]])
def test_a_token_needs_known_scopes(keeper, scopes):
    assert keeper.post(ADD, {"name": "importer", "scopes": scopes}).status_code == 200
    assert not ApiToken.objects.exists()


def revoke(client, token, **fields):
    return client.post(LIST, {"action": "revoke_tokens", "_selected_action": [token.pk]} | fields)


def test_a_token_is_revoked_after_being_asked(keeper):
    text = make_in_admin(keeper)
    token = ApiToken.objects.get()
    assert "Revoke 1 token?" in revoke(keeper, token).content.decode()
    assert ApiToken.objects.authenticate(text)
    revoke(keeper, token, confirmed="yes")
    assert ApiToken.objects.authenticate(text) is None
    assert LogEntry.objects.filter(change_message="Revoked.").count() == 1


def test_who_may_only_look_cannot_revoke(keeper, client):
    text = make_in_admin(keeper)
    client.force_login(make_person("bob", "access.view_apitoken"))
    assert "revoke_tokens" not in client.get(LIST).content.decode()
    revoke(client, ApiToken.objects.get(), confirmed="yes")
    assert ApiToken.objects.authenticate(text)
