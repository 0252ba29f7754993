"""`manage.py rotate_token`, as an operator uses it; revoke_token finds its token in the same way."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db.models.functions import Now
from pytest_django import Settings

from access import bootstrap, token_cache, token_text
from access.auth import identify
from access.models import ApiToken, Scope
from tests.access.management.commands.running import SOON, life, run
from tests.access.test_auth import is_refused
from tests.factories import make_token

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("command", ["revoke_token --yes", "rotate_token"])
@pytest.mark.parametrize("prefix", ["00000000", "", "\x00", "x" * 31])
def test_an_unknown_token_is_named(command: str, prefix: str) -> None:
    with pytest.raises(CommandError, match="unknown token id") as refused:
        run(*command.split(), prefix)
    assert refused.value.returncode == 3


@pytest.mark.parametrize("command", ["revoke_token --yes", "rotate_token"])
def test_a_text_that_no_token_has_is_refused_without_being_shown(command: str) -> None:
    row, text = make_token()
    for secret in (f"vp_{row.prefix}_" + "x" * 43, "y" * 1_000):
        with pytest.raises(CommandError, match="unknown token;") as refused:
            run(*command.split(), secret)
        assert secret[-20:] not in str(refused.value)
    assert not is_refused(text)


def test_rotate_token_makes_a_successor_and_ends_the_old_one_after_the_overlap() -> None:
    old, old_text = make_token(
        Scope.READ, name="website", allow_from=["10.0.0.0/8"], expires_at=Now() + timedelta(days=30)
    )
    text, told = run("rotate_token", old.prefix, "--overlap", "2h")
    assert "The new token is not shown again. The old one, 'website' (vp_" in told
    for token in (text, old_text):
        assert identify(f"Bearer {token}", "10.0.0.1").name == "website"
    old.refresh_from_db()
    new = ApiToken.objects.exclude(pk=old.pk).get()
    assert (new.scopes, new.allow_from) == (["read"], ["10.0.0.0/8"])
    assert abs(life(new) - timedelta(days=30)) < SOON
    assert abs(life(old) - timedelta(hours=2)) < SOON


def test_without_an_overlap_the_old_one_ends_at_once() -> None:
    old, old_text = make_token(expires_at=None)
    text, _ = run("rotate_token", old.prefix, "--overlap", "0")
    assert is_refused(old_text)
    assert not is_refused(text)
    assert ApiToken.objects.exclude(pk=old.pk).get().expires_at is None


def test_a_rotation_makes_no_token_live_longer() -> None:
    old, _ = make_token(expires_at=Now() + timedelta(hours=1))
    run("rotate_token", old.prefix, "--overlap", "7d", "--expires", "90d")
    old.refresh_from_db()
    assert life(old) < timedelta(hours=1)
    assert abs(life(ApiToken.objects.exclude(pk=old.pk).get()) - timedelta(days=90)) < SOON


@pytest.mark.parametrize("ended", [{"revoked_at": Now()}, {"expires_at": Now()}])
def test_an_ended_token_is_not_rotated(ended: dict[str, Any]) -> None:
    old, _ = make_token(**ended)
    with pytest.raises(CommandError, match="has ended"):
        run("rotate_token", old.prefix)
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("overlap", ["91d", "1", "-1h", "0h", "soon"])
def test_an_overlap_that_cannot_be_is_refused(overlap: str) -> None:
    old, _ = make_token()
    with pytest.raises(CommandError, match="invalid overlap"):
        run("rotate_token", old.prefix, f"--overlap={overlap}")
    assert ApiToken.objects.count() == 1


@pytest.fixture
def kept(settings: Settings, tmp_path: Path) -> Path:
    """An AUTH_TOKEN that lives in the data folder."""
    path = tmp_path / "auth_token"
    settings.AUTH_TOKEN, settings.AUTH_TOKEN_FILE = token_text.make(), path
    path.write_text(settings.AUTH_TOKEN + "\n")
    path.chmod(0o600)
    bootstrap.ensure(actor="first start")
    return path


def test_rotating_auth_token_rewrites_its_file(kept: Path, settings: Settings) -> None:
    text, told = run("rotate_token", ApiToken.objects.get().prefix)
    assert kept.read_text() == f"{text}\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["auth_token"]
    assert str(kept) in told
    for known in (text, settings.AUTH_TOKEN):
        token_cache.tokens.forget()
        assert identify(f"Bearer {known}").name == "AUTH_TOKEN"
    settings.AUTH_TOKEN = text  # after a restart
    assert not bootstrap.ensure(actor="first start")


def test_where_its_file_cannot_be_written_nothing_is_changed(kept: Path, settings: Settings) -> None:
    settings.AUTH_TOKEN_FILE = kept / "not a folder"
    with pytest.raises(CommandError, match="nothing was changed"):
        run("rotate_token", ApiToken.objects.get().prefix)
    assert ApiToken.objects.get().expires_at is None


def test_an_auth_token_from_the_environment_is_to_be_set_there(settings: Settings) -> None:
    settings.AUTH_TOKEN_FILE = None
    bootstrap.ensure(actor="first start")
    _, told = run("rotate_token", ApiToken.objects.get().prefix)
    assert "Set AUTH_TOKEN to the new one wherever Vectorpress runs" in told


def test_the_auth_token_of_another_installation_is_not_rotated_here(kept: Path, settings: Settings) -> None:
    prefix = ApiToken.objects.get().prefix
    settings.AUTH_TOKEN = token_text.make()
    with pytest.raises(CommandError, match="is not the AUTH_TOKEN of this process"):
        run("rotate_token", prefix)
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("words", [("create_token", "reader"), ("rotate_token", "ID")])
def test_a_dry_run_makes_no_token(words: tuple[str, str]) -> None:
    old, _ = make_token()
    before = list(ApiToken.objects.values())
    given = [word.replace("ID", old.prefix) for word in words]
    assert "Nothing was changed" in run(*given, "--dry-run", "--yes", "--reason=a drill")[0]
    assert json.loads(run(*given, "--dry-run", "--json")[0])["token"] is None
    assert list(ApiToken.objects.values()) == before
