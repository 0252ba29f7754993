"""How each provider stands, in the admin's words."""

from datetime import timedelta

import pytest
from django.contrib.admin import site
from django.db.models.functions import Now
from django.test import RequestFactory
from django.urls import reverse

from queueops.admin.provider_states import ProviderStateAdmin
from queueops.models import ProviderState
from tests.admin_rows import make_person

pytestmark = pytest.mark.django_db
SOON, PAST = Now() + timedelta(minutes=1), Now() - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "well"),
        ({"failures": 2}, "well"),
        ({"blocked_until": SOON}, "rate limited"),
        ({"blocked_until": PAST}, "well"),
        ({"breaker": "open"}, "out"),
        ({"breaker": "open", "blocked_until": SOON}, "out"),
        ({"breaker": "half_open"}, "asked by a canary"),
    ],
)
def test_a_provider_is_well_limited_or_out(client, fields, word):
    ProviderState.objects.create(name="openai", **fields)
    admin = ProviderStateAdmin(ProviderState, site)
    row = admin.get_queryset(RequestFactory().get("/")).get()
    assert admin.stands(row) == word
    client.force_login(make_person("ada", "queueops.view_providerstate"))
    assert word in client.get(reverse("admin:queueops_providerstate_changelist")).content.decode()
