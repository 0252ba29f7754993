"""Every page of the admin opens, changes nothing by being opened, and shows what people wrote as text."""

import re

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from embeddings.models import ArticleEmbedding
from tests.admin_rows import MODELS, NASTY, change_url, list_url, make_everything

pytestmark = pytest.mark.django_db
HIDING = "pay\u202elap\u200b"
WRITES = ("INSERT", "UPDATE", "DELETE")


@pytest.fixture
def admin_user() -> User:
    """Without a password, since hashing one takes longer than all of a test."""
    return User.objects.create(username="root", is_staff=True, is_superuser=True)


@pytest.fixture
def admin_client(client: Client, admin_user: User) -> Client:
    client.force_login(admin_user)
    return client


def open_page(client: Client, url: str) -> str:
    """The page's text; opening it may write no row of ours."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = client.get(url)
    assert response.status_code == 200, url
    written = [query["sql"] for query in queries if query["sql"].lstrip().startswith(WRITES)]
    assert [sql for sql in written if "sign_in_sessions" not in sql] == []
    return response.content.decode()


def test_every_model_of_the_project_is_listed() -> None:
    listed = {model._meta.label for model in MODELS}
    assert listed >= {
        "access.ApiToken",
        "access.Session",
        "articles.Article",
        "articles.ArticleVersion",
        "embeddings.ArticleEmbedding",
        "embeddings.Space",
        "queueops.AuditLog",
        "queueops.Metric",
        "queueops.ProviderState",
        "queueops.QueueState",
        "queueops.Task",
        "queueops.Worker",
    }
    assert not listed & {"django_dramatiq.Task", "otp_totp.TOTPDevice", "otp_static.StaticDevice"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_its_list_and_its_forms_open(
    admin_client: Client, model: type[Model], rf: RequestFactory, admin_user: User
) -> None:
    make_everything()
    open_page(admin_client, list_url(model))
    open_page(admin_client, list_url(model) + "?q=1")
    open_page(admin_client, list_url(model) + "?q=an-art")
    open_page(admin_client, change_url(model._default_manager.first() or admin_user.groups.create(name="g")))
    request = rf.get("/")
    request.user = admin_user
    if site.get_model_admin(model).has_add_permission(request):
        open_page(admin_client, list_url(model) + "add/")


@pytest.mark.parametrize(
    "page",
    ["admin:index", "admin:password_change", "admin:second_factor", "admin:sign_out_everywhere"],
)
def test_the_other_pages_open(admin_client: Client, page: str) -> None:
    make_everything()
    open_page(admin_client, reverse(page))


def test_the_page_to_log_in_opens(client: Client) -> None:
    assert client.get("/admin/login/").status_code == 200


def test_after_logging_in_one_is_on_the_first_page(client: Client, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
    User.objects.create_superuser("ada", password="a-long-password")
    response = client.post("/admin/login/", {"username": "ada", "password": "a-long-password"})
    assert response["Location"] == "/admin/"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_user_input_is_shown_as_text(admin_client: Client, model: type[Model]) -> None:
    make_everything(NASTY)
    pages = [list_url(model)] + [change_url(row) for row in model._default_manager.all()[:2]]
    for page in pages:
        assert NASTY not in open_page(admin_client, page)
        assert "<script>alert" not in open_page(admin_client, page)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_shows_what_a_text_hides(admin_client: Client, model: type[Model]) -> None:
    make_everything(HIDING)
    shown = re.sub('value="[^"]*"', "", open_page(admin_client, list_url(model)))
    assert not set(shown) & {"\u202e", "\u200b"}


def test_the_first_page_shows_what_a_reason_hides(admin_client: Client) -> None:
    make_everything(HIDING)
    assert not set(open_page(admin_client, "/admin/")) & {"\u202e", "\u200b"}


def test_the_first_page_shows_reasons_as_text(admin_client: Client) -> None:
    make_everything(NASTY)
    assert "<script>alert" not in open_page(admin_client, "/admin/")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_takes_as_many_statements_for_forty_rows_as_for_one(
    admin_client: Client, model: type[Model]
) -> None:
    make_everything()
    admin_client.get(list_url(model))  # what is remembered across requests is out of the way
    few = statements_of(admin_client, model)
    many_rows(model)
    many = statements_of(admin_client, model)
    assert many <= few + 1
    assert many <= 14


def statements_of(client: Client, model: type[Model]) -> int:
    """How many statements a list takes, but for what is believed for a second: a slow machine asks it again."""
    with CaptureQueriesContext(connection) as queries:
        client.get(list_url(model))
    return sum(not re.search("queue_is_installed|FROM .?queue_state", query["sql"]) for query in queries)


STRANGE = [
    "status__exact=zzz",
    "space__id__exact=abc",
    "space__id__exact=99999999999999999999",
    "completed_at_from_0=x&completed_at_from_1=y",
    "updated_at_from_0=2026-99-99",
    "article__exact=abc",
    "q=99999999999999999999999",
    "level__exact=%27",
    "p=99999999",
    "p=-1",
    "o=99",
    "id__in=1,x",
    "unknown=1",
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_strange_questions_to_a_list_break_nothing(admin_client: Client, model: type[Model]) -> None:
    make_everything()
    for query in STRANGE:
        assert admin_client.get(f"{list_url(model)}?{query}").status_code in (200, 302), query


def many_rows(model: type[Model]) -> None:
    """Forty more rows like the one that is there, where more than one may be."""
    row = model._default_manager.first()
    if row is None or model._meta.label in {
        "queueops.QueueState",
        "queueops.ProviderState",
        "embeddings.Space",
    }:
        return
    unique = {
        "slug": "s-{}",
        "prefix": "p{}",
        "username": "u{}",
        "name": "n{}",
        "session_key": "k{}",
        "version_number": "{}",
        "chunk_index": "{}",
    }
    generated = {field.name for field in model._meta.fields if field.generated}
    for number in range(2, 42):
        fields = {
            f.attname: getattr(row, f.attname)
            for f in model._meta.fields
            if f.name not in generated and (not f.primary_key or f.name in unique)
        }
        for name, pattern in unique.items():
            if name in fields and model._meta.label != "queueops.Task":
                fields[name] = pattern.format(number)
        if model._meta.label == "queueops.Task":
            fields["status"] = "completed"
        model._default_manager.bulk_create([model(**fields)])


def test_a_list_never_reads_vectors_or_texts(admin_client: Client) -> None:
    make_everything()
    for model, columns in {
        "embeddings.ArticleEmbedding": ['"embedding"', '"content"'],
        "articles.Article": ['"content"'],
        "articles.ArticleVersion": ['"content"'],
        "queueops.Task": ['"error_message"'],
        "access.ApiToken": ['"secret_hash"'],
    }.items():
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(list_url(next(m for m in MODELS if m._meta.label == model)))
        for column in columns:
            assert not [q["sql"] for q in queries if f".{column}" in q["sql"].split(" FROM ")[0]], (
                model,
                column,
            )


def test_a_vector_is_not_read_for_its_rows_page_either(admin_client: Client) -> None:
    make_everything()
    url = change_url(ArticleEmbedding.objects.get())
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(url)
    assert not [q for q in queries if '."embedding"' in q["sql"]]


@pytest.mark.parametrize("path", ["/", "/admin/"])
def test_pages_outside_the_admin_may_run_no_script_of_others(admin_client: Client, path: str) -> None:
    policy = admin_client.get(path)["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert ("unsafe" in policy) == (path == "/admin/")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
@pytest.mark.parametrize("page", ["", "change/", "delete/", "history/"])
def test_a_key_with_a_nul_is_the_key_of_no_row(admin_client: Client, model: type[Model], page: str) -> None:
    answer = admin_client.get(f"{list_url(model)}%00/{page}")
    assert answer.status_code in {302, 403, 404}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
@pytest.mark.parametrize("key", ["abc", "\x00", "1\x00", "9" * 40, ""])
def test_a_selection_of_keys_that_no_row_has_changes_nothing(
    admin_client: Client, model: type[Model], key: str
) -> None:
    make_everything()
    before = model._default_manager.count()
    for fields in ({}, {"index": "0"}, {"post": "yes"}):
        posted = {"action": "delete_selected", "_selected_action": [key], **fields}
        answer = admin_client.post(list_url(model), posted)
        assert answer.status_code in {200, 302, 403, 405}, fields
    assert model._default_manager.count() == before
