"""The state of each provider, in the admin's words."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.db.models.functions import Now
from django.test import Client, RequestFactory
from django.urls import reverse

from queueops.admin.provider_states import ProviderStateAdmin
from queueops.models import ProviderState
from tests.admin_rows import make_person

pytestmark = pytest.mark.django_db
SOON, PAST = Now() + timedelta(minutes=1), Now() - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "closed"),
        ({"failures": 2}, "closed"),
        ({"blocked_until": SOON}, "rate limited"),
        ({"blocked_until": PAST}, "closed"),
        ({"breaker": "open"}, "open"),
        ({"breaker": "open", "blocked_until": SOON}, "open"),
        ({"breaker": "half_open"}, "half open"),
    ],
)
def test_a_provider_is_closed_limited_or_open(client: Client, fields: dict[str, Any], word: str) -> None:
    ProviderState.objects.create(name="openai", **fields)
    admin = ProviderStateAdmin(ProviderState, site)
    row = admin.get_queryset(RequestFactory().get("/")).get()
    assert admin.shown_state(row) == word
    client.force_login(make_person("ada", "queueops.view_providerstate"))
    assert word in client.get(reverse("admin:queueops_providerstate_changelist")).content.decode()
