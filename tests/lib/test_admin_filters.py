"""No filter in the address of a list of the admin is a page of status 500, and none shows or acts on more rows."""

from collections.abc import Iterable
from contextlib import suppress

import pytest
from django.contrib.admin import site
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.db.models import JSONField, Model
from django.http import QueryDict
from django.test import Client, RequestFactory

from tests.admin_rows import MODELS, list_url, make_everything

pytestmark = pytest.mark.django_db
HUGE = "9" * 30
# Lookups with a value each that some field, Python or the database refuses.
LOOKUPS = {
    "exact": HUGE, "in": f"1,{HUGE}", "range": "1", "gt": "1e400", "contains": "(", "isnull": "x",
    "year": "99999999999", "week_day": HUGE, "date": "-1", "has_key": "%5C", "contained_by": "nan", "len": HUGE,
    "search": "%25", "unknown": "1",
}  # fmt: skip
OTHERS = (
    f"p={HUGE}",
    "p=" + "1" * 5_000,
    f"o={HUGE}.-{HUGE}",
    "o=-.-",
    f"q={HUGE}",
    "_facets=1&id__exact=x",
    "e=1&id=x",
)


@pytest.fixture
def admin_client(client: Client) -> Client:
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    return client


def fields_of(model: type[Model]) -> list[str]:
    """One field of each class."""
    return list({type(field): field.name for field in model._meta.concrete_fields}.values())


def statuses(client: Client, url: str, queries: Iterable[str]) -> dict[str, int]:
    found = {query: client.get(f"{url}?{query}").status_code for query in queries}
    return {query: status for query, status in found.items() if status not in (200, 302, 400)}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_filter_of_a_list_breaks_it(
    model: type[Model], rf: RequestFactory, django_user_model: type[User]
) -> None:
    make_everything()
    request = rf.get(list_url(model))
    request.user = django_user_model(username="root", is_staff=True, is_superuser=True, is_active=True)
    for field in fields_of(model):
        for lookup, value in LOOKUPS.items():
            request.GET = QueryDict(f"{field}__{lookup}={value}")
            with suppress(IncorrectLookupParameters):
                site.get_model_admin(model).get_changelist_instance(request)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_nothing_else_in_its_address_does(admin_client: Client, model: type[Model]) -> None:
    make_everything()
    deep = [f"{f.name}__" + "a__" * 3_000 + "a=1" for f in model._meta.fields if isinstance(f, JSONField)]
    assert statuses(admin_client, list_url(model), [*OTHERS, *deep]) == {}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_takes_no_regular_expressions(admin_client: Client, model: type[Model]) -> None:
    make_everything()
    for field in fields_of(model):
        for lookup in ("regex", "iregex"):
            assert admin_client.get(f"{list_url(model)}?{field}__{lookup}=a").status_code == 400


def test_a_filter_that_fits_no_value_leads_to_the_list_with_a_notice(admin_client: Client) -> None:
    answer = admin_client.get("/admin/auth/user/?last_login__year=99999999999")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/auth/user/?e=1")


@pytest.mark.parametrize(
    "query", ["last_login__year=99999999999", "username__regex=(", "id__in=x", "unknown=1"]
)
def test_no_action_runs_under_a_filter_that_failed(admin_client: Client, query: str) -> None:
    other = User.objects.create(username="other")
    fields = {
        "action": "delete_selected",
        "_selected_action": [other.pk],
        "select_across": "1",
        "post": "yes",
    }
    answer = admin_client.post(f"/admin/auth/user/?{query}", fields)
    assert answer.status_code in (302, 400)
    assert User.objects.filter(username="other").exists()
