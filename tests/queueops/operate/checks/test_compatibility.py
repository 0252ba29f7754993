"""Articles and searches are tried in each mode through the real API, and everything is as it was afterwards."""

import pytest

from articles.models import Article
from embeddings.models import Space
from queueops.engine import modes
from queueops.models import AuditLog, Mode, QueueState
from queueops.operate import controls
from queueops.operate.checks import compatibility
from queueops.operate.checks.finding import CheckResult
from tests.providers import FakeProvider
from tests.queueops.cli_runner import Called, called

pytestmark = pytest.mark.django_db(transaction=True)


def check_compatibility(*words: str) -> Called:
    return called("embed_check", "compatibility", *words)


def test_every_mode_serves_articles_and_searches_and_leaves_no_trace(space: Space) -> None:
    controls.set_mode(Mode.SYNCHRONOUS, actor="ada", reason="no Redis")
    tried = check_compatibility("--yes", "--json", "--actor=bob")
    assert tried.code == 0, tried.out
    found = {finding["check"]: finding["detail"] for finding in tried.json["findings"]}
    assert list(found) == [f"{mode} {what}" for mode in Mode for what in ("articles", "search", "deletion")]
    assert found["synchronous articles"].endswith("embedding embedded")
    assert found["disabled search"].endswith("answered by keyword")
    assert not Article.objects.exists()
    state = QueueState.objects.get()
    assert (state.mode, state.mode_changed_by, state.mode_reason) == ("synchronous", "ada", "no Redis")
    assert modes.current() is Mode.SYNCHRONOUS
    assert AuditLog.objects.latest("id").message == "mode put back"


def test_a_provider_that_is_down_is_a_warning_since_articles_are_saved_all_the_same(
    space: Space, provider: FakeProvider
) -> None:
    provider.config(rate_500=1)
    tried = check_compatibility("--yes", "--json")
    assert (tried.code, tried.json["verdict"]) == (0, "warn")
    assert check_compatibility("--yes", "--strict").code == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_however_it_ends_the_mode_and_the_articles_are_as_before(
    space: Space, error: type[KeyboardInterrupt | RuntimeError]
) -> None:
    with (
        pytest.raises(error),
        compatibility.as_it_was("ada") as mark,
        compatibility.client("", "no token") as api,
    ):
        for finding in compatibility.check(api, mark, actor="ada", is_remote=False):
            assert finding.verdict is CheckResult.FAIL
            Article(title="Left behind", metadata={compatibility.MARK: mark}).save()
            raise error
    assert (QueueState.objects.get().mode, Article.objects.count()) == ("", 0)


def test_a_mode_that_somebody_set_meanwhile_stays(space: Space) -> None:
    with compatibility.as_it_was("ada") as mark, compatibility.client("", "") as api:
        list(compatibility.check(api, mark, actor="ada", is_remote=False))
        controls.set_mode(Mode.QUEUED, actor="bob", reason="now")
    assert QueueState.objects.get().mode_changed_by == "bob"


def test_it_asks_before_it_changes_the_mode_for_everybody(space: Space) -> None:
    assert check_compatibility().code == 3
    assert "Nothing was changed" in check_compatibility("--dry-run").out
    assert not AuditLog.objects.exists()


def test_an_api_that_refuses_or_does_not_answer_fails_in_a_sentence(space: Space) -> None:
    tried = check_compatibility("--yes", "--token=wrong")
    assert tried.code == 2
    assert "POST /api/articles answered 401 and not 201" in tried.out
    tried = check_compatibility("--yes", "--url=http://127.0.0.1:9")
    assert tried.code == 2
    assert "the API does not answer (ConnectError)" in tried.out
