"""`embed_migrate` without a verb runs the backfill, and takes the options of `run`."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from queueops.cli.frame.console import Console
from queueops.cli.frame.verb import ShellVerb
from queueops.management.commands import embed_migrate, queue_admin


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The verb that was run last, its options, and the actor."""
    seen: dict[str, Any] = {}

    def run(self: object, verb: ShellVerb, console: Console, options: dict[str, Any]) -> None:
        seen.update(verb=verb.name, actor=console.actor, as_json=console.as_json, **options)

    monkeypatch.setattr(queue_admin.Command, "_run", run)
    return seen


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("", {"verb": "run", "yes": False}),
        ("--yes", {"verb": "run", "yes": True}),
        ("--forward --yes", {"verb": "run", "forward": True, "yes": True}),
        ("run --yes", {"verb": "run", "yes": True}),
        ("analyze", {"verb": "analyze"}),
        ("analyze --json", {"verb": "analyze", "as_json": True}),
        ("--json", {"verb": "run", "as_json": True}),
        ("rollback --confirm", {"verb": "rollback", "yes": True}),
        ("--actor ada analyze", {"verb": "analyze", "actor": "ada"}),
        ("analyze --actor ada", {"verb": "analyze", "actor": "ada"}),
        ("--actor ada --yes", {"verb": "run", "actor": "ada", "yes": True}),
        ("--yes --actor ada", {"verb": "run", "actor": "ada", "yes": True}),
        ("--actor=analyze --yes", {"verb": "run", "actor": "analyze", "yes": True}),
        ("--actor rollback --dry-run", {"verb": "run", "actor": "rollback", "dry_run": True}),
        ("-v 2 --no-color --json", {"verb": "run", "as_json": True}),
        ("--verbosity=2 analyze", {"verb": "analyze"}),
        ("--reason rollback", {"verb": "run", "reason": "rollback"}),
        ("--limit 5 --filter news- --yes", {"verb": "run", "limit": 5, "filters": ["news-"], "yes": True}),
        ("run --limit 5", {"verb": "run", "limit": 5, "filters": []}),
    ],
)
def test_without_a_verb_the_options_are_those_of_a_run(
    ran: dict[str, Any], words: str, meant: dict[str, Any]
) -> None:
    call_command("embed_migrate", *words.split())
    assert ran | meant == ran


@pytest.mark.parametrize("verb", ["run", "analyze", "rollback"])
@pytest.mark.parametrize(
    ("words", "named"), [("--dry-run", "--dry-run"), ("--yes --limit 5", "--limit, --yes")]
)
def test_an_option_before_the_verb_is_refused_and_not_ignored(
    ran: dict[str, Any], words: str, named: str, verb: str
) -> None:
    with pytest.raises(CommandError, match=f"{named} before the verb: put it after {verb}"):
        call_command("embed_migrate", *words.split(), verb)
    assert not ran


def test_an_unknown_verb_is_refused_with_those_there_are(ran: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match=r"invalid choice: 'analyse' \(choose from '?analyze"):
        call_command("embed_migrate", "analyse")
    assert not ran


def test_the_help_has_the_verbs_and_the_options_of_a_run() -> None:
    shown = embed_migrate.Command().create_parser("manage.py", "embed_migrate").format_help()
    for word in ("analyze", "rollback", "--dry-run", "--limit N", "--filter JSON|SLUG", "--priority {"):
        assert word in shown
    assert "BARE" not in shown
