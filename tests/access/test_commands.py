"""The commands about tokens: create_token, list_tokens, revoke_token and rotate_token."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.utils import timezone

from access import bootstrap, recent, token_text
from access.auth import identify
from access.models import ApiToken, Scope
from tests.access.test_auth import is_refused
from tests.factories import make_token

pytestmark = pytest.mark.django_db
SOON = timedelta(seconds=10)


def run(command: str, *options: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(command, *options, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def life(token: ApiToken) -> timedelta:
    assert token.expires_at
    return token.expires_at - timezone.now()


def test_create_token_prints_a_token_that_works():
    text, told = run("create_token", "integration", "--scope", "read", "--scope", "write", "--expires", "30d")
    caller = identify(f"Bearer {text}")
    assert (caller.name, set(caller.scopes)) == ("integration", {"read", "write"})
    assert "not shown again" in told
    assert abs(life(ApiToken.objects.get()) - timedelta(days=30)) < SOON


def test_what_a_name_or_an_option_hides_is_written_out():
    assert r"'pay\u3164'" in run("create_token", "pay\u3164")[1]
    for options in (["x\x1b[2J"], ["x", "--expires", "\x1b[2J"], ["x", "--allow-from", "\x1b[2J"]):
        with pytest.raises(CommandError) as refused:
            run("create_token", *options)
        assert "\x1b" not in str(refused.value)


def test_a_token_ends_after_a_year_and_may_read_unless_said_otherwise():
    text, _ = run("create_token", "reader")
    assert identify(f"Bearer {text}").scopes == {"read"}
    assert abs(life(ApiToken.objects.get()) - timedelta(days=365)) < SOON


@pytest.mark.parametrize(("days", "options"), [(365, ["--expires", "never"]), (0, [])])
def test_a_token_without_an_end_is_asked_for(settings, days, options):
    settings.API_TOKEN_DAYS = days
    run("create_token", "reader", *options)
    assert ApiToken.objects.get().expires_at is None


def test_a_day_is_over_at_its_midnight():
    run("create_token", "reader", "--expires", "2098-12-31")
    assert ApiToken.objects.get().expires_at == datetime(2099, 1, 1, tzinfo=UTC)


def test_an_allow_list_is_taken_and_told():
    _, told = run("create_token", "reader", "--allow-from", "10.0.0.0/8, 203.0.113.9")
    assert ApiToken.objects.get().allow_from == ["10.0.0.0/8", "203.0.113.9/32"]
    assert "may read from 10.0.0.0/8, 203.0.113.9/32 until" in told


@pytest.mark.parametrize(
    "options",
    [
        ["n" * 101],
        [" "],
        ["a\nb"],
        ["a\u202eb"],
        ["AUTH_TOKEN"],
        ["n", "--scope", "root"],
        ["n", "--expires", "0d"],
        ["n", "--expires", "90"],
        ["n", "--expires", "999999w"],
        ["n", "--expires", "2001-01-01"],
        ["n", "--expires", "9999-12-31"],
        ["n", "--expires", "tomorrow"],
        ["n", "--allow-from", "10.0.0.1/8"],
        ["n", "--allow-from", "localhost"],
        ["n", "--allow-from", ",".join(["10.0.0.0/8"] * 51)],
    ],
)
def test_create_token_refuses_what_makes_no_token(options):
    with pytest.raises(CommandError):
        run("create_token", *options)
    assert not ApiToken.objects.exists()


def test_list_tokens_shows_those_that_work_and_who_made_them():
    run("create_token", "website", "--actor", "ada", "--expires", "13d")
    make_token(name="over", expires_at=Now())
    make_token(name="a\x1b[31m\u202eb")
    shown, told = run("list_tokens")
    [line] = [line for line in shown.splitlines() if "website" in line]
    assert all(part in line for part in ("read", "expiring", "everywhere", "ada"))
    assert "1 will end within 14 days" in told
    assert "over" not in shown
    assert not {"\x1b", "\u202e"} & set(shown)
    assert "over" in run("list_tokens", "--all")[0]


def test_list_tokens_as_json_holds_no_secret():
    row, text = make_token(Scope.READ, allow_from=["10.0.0.0/8"])
    identify(f"Bearer {text}", "10.0.0.1")
    shown, _ = run("list_tokens", "--json")
    [token] = json.loads(shown)["tokens"]
    assert (token["prefix"], token["state"], token["scopes"]) == (row.prefix, "usable", ["read"])
    assert token["last_used_at"]
    assert row.secret_hash not in shown


@pytest.mark.parametrize("command", ["revoke_token --yes", "rotate_token"])
@pytest.mark.parametrize("prefix", ["00000000", "", "\x00", "x" * 31])
def test_an_unknown_token_is_named(command, prefix):
    with pytest.raises(CommandError, match="unknown token id") as refused:
        run(*command.split(), prefix)
    assert refused.value.returncode == 3


@pytest.mark.parametrize("command", ["revoke_token --yes", "rotate_token"])
def test_a_text_that_no_token_has_is_refused_without_being_shown(command):
    row, text = make_token()
    for secret in (f"vp_{row.prefix}_" + "x" * 43, "y" * 1_000):
        with pytest.raises(CommandError, match="unknown token;") as refused:
            run(*command.split(), secret)
        assert secret[-20:] not in str(refused.value)
    assert not is_refused(text)


def test_rotate_token_makes_a_successor_and_ends_the_old_one_after_the_overlap():
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


def test_without_an_overlap_the_old_one_ends_at_once():
    old, old_text = make_token(expires_at=None)
    text, _ = run("rotate_token", old.prefix, "--overlap", "0")
    assert is_refused(old_text)
    assert not is_refused(text)
    assert ApiToken.objects.exclude(pk=old.pk).get().expires_at is None


def test_a_rotation_makes_no_token_live_longer():
    old, _ = make_token(expires_at=Now() + timedelta(hours=1))
    run("rotate_token", old.prefix, "--overlap", "7d", "--expires", "90d")
    old.refresh_from_db()
    assert life(old) < timedelta(hours=1)
    assert abs(life(ApiToken.objects.exclude(pk=old.pk).get()) - timedelta(days=90)) < SOON


@pytest.mark.parametrize("ended", [{"revoked_at": Now()}, {"expires_at": Now()}])
def test_an_ended_token_is_not_rotated(ended):
    old, _ = make_token(**ended)
    with pytest.raises(CommandError, match="has ended"):
        run("rotate_token", old.prefix)
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("overlap", ["91d", "1", "-1h", "0h", "soon"])
def test_an_overlap_that_cannot_be_is_refused(overlap):
    old, _ = make_token()
    with pytest.raises(CommandError, match="invalid overlap"):
        run("rotate_token", old.prefix, f"--overlap={overlap}")
    assert ApiToken.objects.count() == 1


@pytest.fixture
def kept(settings, tmp_path):
    """An AUTH_TOKEN that lives in the data folder."""
    path = tmp_path / "auth_token"
    settings.AUTH_TOKEN, settings.AUTH_TOKEN_FILE = token_text.make(), path
    path.write_text(settings.AUTH_TOKEN + "\n")
    path.chmod(0o600)
    bootstrap.ensure(actor="first start")
    return path


def test_rotating_auth_token_rewrites_its_file(kept, settings):
    text, told = run("rotate_token", ApiToken.objects.get().prefix)
    assert kept.read_text() == f"{text}\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["auth_token"]
    assert str(kept) in told
    for known in (text, settings.AUTH_TOKEN):
        recent.tokens.forget()
        assert identify(f"Bearer {known}").name == "AUTH_TOKEN"
    settings.AUTH_TOKEN = text  # after a restart
    assert not bootstrap.ensure(actor="first start")


def test_where_its_file_cannot_be_written_nothing_is_changed(kept, settings):
    settings.AUTH_TOKEN_FILE = kept / "not a folder"
    with pytest.raises(CommandError, match="nothing was changed"):
        run("rotate_token", ApiToken.objects.get().prefix)
    assert ApiToken.objects.get().expires_at is None


def test_an_auth_token_from_the_environment_is_to_be_set_there(settings):
    settings.AUTH_TOKEN_FILE = None
    bootstrap.ensure(actor="first start")
    _, told = run("rotate_token", ApiToken.objects.get().prefix)
    assert "Set AUTH_TOKEN to the new one wherever Vectorpress runs" in told


def test_the_auth_token_of_another_installation_is_not_rotated_here(kept, settings):
    prefix = ApiToken.objects.get().prefix
    settings.AUTH_TOKEN = token_text.make()
    with pytest.raises(CommandError, match="is not the AUTH_TOKEN of this process"):
        run("rotate_token", prefix)
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("words", [("create_token", "reader"), ("rotate_token", "ID")])
def test_a_dry_run_makes_no_token(words):
    old, _ = make_token()
    before = list(ApiToken.objects.values())
    given = [word.replace("ID", old.prefix) for word in words]
    assert "Nothing was changed" in run(*given, "--dry-run", "--yes", "--reason=a drill")[0]
    assert json.loads(run(*given, "--dry-run", "--json")[0])["token"] is None
    assert list(ApiToken.objects.values()) == before
