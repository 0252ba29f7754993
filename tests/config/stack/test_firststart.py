"""What happens once in the life of an installation."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.test import override_settings
from pytest_django import Settings

from access import token_lifecycle, token_text
from access.bootstrap import row
from config.stack.firststart import FirstImport, Login, Token, ensure_login, ensure_token, login_file
from config.stack.up import token_in_words, welcome


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path: Path) -> Iterator[None]:
    with override_settings(DATA_DIR=tmp_path):
        yield


@pytest.mark.django_db
def test_the_first_start_makes_a_login_that_works_and_keeps_it_private() -> None:
    login = ensure_login()
    assert login
    assert authenticate(username=login.name, password=login.password)
    assert login_file().read_text() == f"{login.name}\n{login.password}\n"
    assert login_file().stat().st_mode & 0o777 == 0o600


@pytest.mark.django_db
def test_a_later_start_knows_the_login_but_not_its_password() -> None:
    ensure_login()
    assert ensure_login() == Login("admin", None)


@pytest.mark.django_db
def test_a_database_with_an_admin_of_its_own_is_left_alone() -> None:
    get_user_model()._default_manager.create_superuser("somebody", password="a long enough password")
    assert ensure_login() is None
    assert not login_file().exists()


@pytest.mark.parametrize(
    ("public", "named"),
    [("", "http://127.0.0.1:8000"), ("https://articles.example.org", "https://articles.example.org")],
)
def test_the_welcome_names_addresses_that_people_can_open(
    settings: Settings, public: str, named: str
) -> None:
    settings.PUBLIC_URL, settings.HOST, settings.PORT = public, "127.0.0.1", 8000
    shown = welcome(None, Token(is_new=False, has_ended=False))
    assert f"up at {named}" in shown
    assert f"{named}/admin/ " in shown
    assert f"{named}/api/docs " in shown
    assert ("for the proxy at http://127.0.0.1:8000" in shown) == bool(public)


@pytest.fixture
def kept(settings: Settings, tmp_path: Path) -> Path:
    settings.AUTH_TOKEN, settings.AUTH_TOKEN_FILE = token_text.make(), tmp_path / "auth_token"
    return tmp_path / "auth_token"


@pytest.mark.django_db
def test_the_token_is_shown_in_the_run_that_made_its_row_and_afterwards_where_it_is(
    kept: Path, settings: Settings
) -> None:
    first, later = ensure_token(), ensure_token()
    assert (first, later) == (Token(True, False), Token(False, False))
    assert token_in_words(first) == f"{settings.AUTH_TOKEN} (shown this once, kept in {kept})"
    assert token_in_words(later) == f"in {kept}"


@pytest.mark.django_db
def test_a_token_from_the_environment_is_never_shown(settings: Settings) -> None:
    settings.AUTH_TOKEN_FILE = None
    for _ in range(2):
        assert token_in_words(ensure_token()) == "in the environment (AUTH_TOKEN)"


@pytest.mark.django_db
def test_a_start_says_that_the_token_was_revoked_and_makes_no_other(kept: Path) -> None:
    ensure_token()
    bootstrap_row = row()
    assert bootstrap_row
    token_lifecycle.revoke(bootstrap_row, actor="ada")
    assert "is revoked or expired" in token_in_words(ensure_token())


def test_an_empty_installation_wants_the_first_corpus_and_one_with_articles_does_not(tmp_path: Path) -> None:
    assert FirstImport(tmp_path).wanted(articles=0)
    assert not FirstImport(tmp_path).wanted(articles=1)


def test_an_interrupted_first_import_is_wanted_again(tmp_path: Path) -> None:
    FirstImport(tmp_path).begun()
    assert FirstImport(tmp_path).wanted(articles=100)


def test_a_finished_first_import_is_never_wanted_again_even_when_all_articles_are_gone(
    tmp_path: Path,
) -> None:
    first = FirstImport(tmp_path)
    first.begun()
    first.done()
    assert not FirstImport(tmp_path).wanted(articles=0)
