"""`manage.py spaces`: a change of the model from the command line, and what it refuses."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.models import AuditLog, Task, Worker
from queueops.worker.drain import drain
from tests.providers import FakeProvider
from tests.queueops.cli_runner import Called, called, embed_migrate
from tests.queueops.factories import make_article

pytestmark = pytest.mark.django_db(transaction=True)
NEW = ("openai", "new-model", "--dimensions", "8")
YES = ("--yes", "--reason", "a better model", "--actor", "ada")


def spaces(*words: str) -> Called:
    return called("spaces", *words)


@pytest.fixture(autouse=True)
def corpus(space: Space, worker: Worker) -> None:
    make_article("One", "A first text.")
    drain(worker.pk, seconds=20)


def test_a_model_is_changed_by_these_commands(space: Space, worker: Worker) -> None:
    created = spaces("create", *NEW, *YES, "--json").json
    assert (created["name"], created["dry_run"]) == ("openai/new-model v101", False)
    early = spaces("cutover", *YES, "--json")
    assert (early.code, early.json["missing"], len(early.json["problems"])) == (1, 1, 1)
    assert embed_migrate("run", "--yes").code == 0
    drain(worker.pk, seconds=20)
    assert spaces("index", *YES, "--json").json["index"] is False, "so small a space needs none"
    assert spaces("cutover", *YES).code == 0
    listed = {each["state"]: each for each in spaces("list", "--json").json["spaces"]}
    assert listed["serving"]["id"] == created["space"]
    assert (listed["standby"]["embedded"], listed["standby"]["articles"]) == (1, 1)
    assert spaces("rollback", *YES).code == 0
    assert spaces("rollback", *YES).code == 0, "forward again"
    retired = spaces("retire", *YES, "--json").json
    assert retired["left"] == {"rows": 0, "tasks": 0, "index": False}
    assert Space.objects.get(pk=space.pk).state == "retired"
    changes = (
        AuditLog.objects.filter(actor="ada").order_by("pk").values_list("metadata__scope__change", flat=True)
    )
    assert list(changes) == ["create", "cutover", "rollback", "rollback", "retire"]


def test_a_new_space_is_given_up_and_leaves_nothing() -> None:
    created = spaces("create", *NEW, *YES, "--json").json["space"]
    make_article("Two", "A second text.")
    assert spaces("cancel", *YES, "--json").json["left"] == {"rows": 0, "tasks": 0, "index": False}
    again = spaces("cancel", "--space", str(created), *YES)
    assert again.code == 0, "it may be run again"
    assert spaces("create", *NEW, *YES).code == 0


def test_a_dry_run_prints_the_estimate_and_changes_nothing(space: Space) -> None:
    tried = spaces("create", *NEW, "--dry-run")
    assert "in the new space" in tried.out
    assert "Nothing was changed" in tried.out
    assert [each.state for each in Space.objects.all()] == ["serving"]


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("cancel", ()),
        ("cutover", ("--allow-missing=9",)),
        ("rollback", ("--allow-missing=9",)),
        ("retire", ()),
    ],
)
def test_a_dry_run_says_what_it_would_do_and_changes_no_state(
    space: Space, verb: str, words: tuple[str, ...]
) -> None:
    spaces("create", *NEW, *YES)
    if verb in ("rollback", "retire"):
        assert spaces("cutover", "--allow-missing=9", *YES).code == 0
    before = list(Space.objects.order_by("pk").values_list("pk", "state"))
    tried = spaces(verb, *words, "--dry-run")
    assert (tried.code, "This would " in tried.out, "Nothing was changed" in tried.out) == (0, True, True)
    assert list(Space.objects.order_by("pk").values_list("pk", "state")) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create", "openai", "unknown-model", *YES), "--dimensions"),
        (("create", *NEW, "--yes"), "--reason"),
        (("cutover", *YES), "that is building or ready"),
        (("rollback", *YES), "that is standby"),
        (("index", *YES), "--space"),
        (("retire", "--space", "4711", *YES), "no space 4711"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(words: tuple[str, ...], says: str) -> None:
    refused = spaces(*words)
    assert (refused.code, says in refused.sentence) == (3, True), refused
    assert Space.objects.count() == 1


def test_the_serving_space_is_not_retired(space: Space) -> None:
    refused = spaces("retire", "--space", str(space.pk), *YES)
    assert (refused.code, "is serving" in refused.sentence) == (3, True)


@pytest.mark.parametrize("verb", ["cutover", "rollback", "retire", "cancel"])
def test_a_dry_run_of_a_change_that_would_be_refused_is_refused(space: Space, verb: str) -> None:
    refused = spaces(verb, "--space", str(space.pk), "--dry-run")
    assert (refused.code, "This would" in refused.out, "is serving" in refused.sentence) == (3, False, True)


def test_the_space_on_standby_is_the_one_whose_index_is_built(space: Space) -> None:
    spaces("create", *NEW, *YES)
    assert spaces("cutover", "--allow-missing=9", *YES).code == 0
    assert spaces("index", *YES, "--json").json["space"] == space.pk
    assert spaces("index", "--space", str(space.pk), *YES, "--json").json["space"] == space.pk


def test_a_retired_space_gets_no_index() -> None:
    created = spaces("create", *NEW, *YES, "--json").json["space"]
    spaces("cancel", *YES)
    assert spaces("index", "--space", str(created), *YES).code == 3


def test_what_a_worker_still_holds_is_removed_by_the_command_it_prints(worker: Worker) -> None:
    created = spaces("create", *NEW, *YES, "--json").json["space"]
    article = make_article("Two", "A second text.")
    held = Task.objects.filter(article=article, space_id=created)
    held.update(status="processing", lease_expires_at=Now() + timedelta(hours=1))
    given_up = spaces("cancel", *YES)
    assert (given_up.code, f"spaces cancel --space {created} --yes --reason" in given_up.out) == (1, True)
    held.update(status="completed", outcome="superseded", lease_expires_at=None, completed_at=Now())
    assert spaces("cancel", "--space", str(created), *YES).code == 0


def test_a_silent_provider_is_refused(provider: FakeProvider) -> None:
    provider.config(fail_next=["500"] * 4)
    assert "does not embed" in spaces("create", *NEW, *YES).sentence


def test_another_mode_is_refused() -> None:
    called("queue_admin", "mode", "synchronous", "--reason", "a test", "--yes")
    assert "queued first" in spaces("create", *NEW, *YES).sentence
