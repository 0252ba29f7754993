"""Commands on accounts: what cannot be done is refused in a sentence, and a dry run changes nothing."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from pytest_django import Settings

from access import second_factor
from access.sessions import Session
from tests.access.people import OFFICE, QUICK, make_ada, make_device, signed_in
from tests.config.management.commands.accounts import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(settings: Settings, clean_cache: None) -> User:
    settings.PASSWORD_HASHERS = QUICK
    return make_ada()


def test_a_dry_run_changes_nothing(ada: User) -> None:
    client = signed_in()
    make_device(ada)
    out = StringIO()
    for words in (["end_sessions", "ada"], ["reset_second_factor", "ada"]):
        call_command(*words, "--dry-run", "--reason", "a test", stdout=out)
    assert out.getvalue().count("Nothing was changed") == 2
    assert second_factor.has_device(ada)
    assert Session.objects.filter(user=ada).exists()
    assert client.cookies["sessionid"].value


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["end_sessions", "ada"], "give a reason"),
        (["end_blocks", "ada"], "give a reason"),
        (["end_blocks", "--reason", "x"], "give the name of an account, or --address"),
        (
            ["end_blocks", "ada", "--address", OFFICE, "--reason", "x"],
            "give the name of an account, or --address",
        ),
        (["end_blocks", "--address", "office", "--reason", "x"], "invalid address 'office'"),
        (["end_sessions", "--reason", "x"], "give the name of an account, or --all"),
        (["end_sessions", "ada", "--all", "--reason", "x"], "give the name of an account, or --all"),
        (["end_sessions", "nobody", "--reason", "x"], "unknown account 'nobody'"),
        (["end_sessions", "a\x00", "--reason", "x"], "unknown account"),
        (["reset_second_factor", "nobody", "--reason", "x"], "unknown account 'nobody'"),
        (["reset_second_factor", "ada", "--reason", "x"], "ada has no second factor"),
        (["reset_second_factor", "ada"], "give a reason"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(ada: User, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as refused:
        run(*words)
    assert refused.value.returncode == 3
