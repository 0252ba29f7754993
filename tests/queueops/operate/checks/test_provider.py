"""A provider passes by a vector; one that gives none, or late, is named with its reason."""

import re
from typing import Any

import pytest

from queueops.operate.checks import provider as provider_check
from queueops.operate.checks.finding import CheckResult
from tests.providers import FakeProvider
from tests.queueops.factories import make_space
from tests.queueops.operate.checks.troubles import troubles


@pytest.mark.django_db
def test_a_provider_that_gives_a_vector_passes_and_its_width_is_shown(provider: FakeProvider) -> None:
    make_space()
    (finding,) = provider_check.check()
    assert finding.verdict is CheckResult.OK
    assert re.match(r"gave a finite vector of 8 numbers, length 1\.000, in \d+ ms", finding.detail)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ({"fail_next": ["401"]}, "auth"),
        ({"fail_next": ["429"]}, "rate limited"),
        ({"fail_next": ["wrong_width"]}, "8 wanted, 7 came"),
        ({"fail_next": ["nan"]}, "finite"),
        ({"fail_next": ["zero"]}, "zeros"),
        ({"poison": "short text"}, "invalid input"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_provider_that_gives_no_usable_vector_fails_and_says_why(
    provider: FakeProvider, faults: dict[str, Any], says: str
) -> None:
    provider.config(**faults)
    make_space()
    (finding,) = troubles(provider_check.check()).values()
    assert finding.verdict is CheckResult.FAIL
    assert says in finding.detail


@pytest.mark.django_db
def test_a_provider_slower_than_a_search_waits_is_worth_a_warning(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_check, "DEADLINE_SECONDS", 0.0)
    make_space()
    assert [finding.verdict for finding in provider_check.check()] == [CheckResult.OK, CheckResult.WARN]
