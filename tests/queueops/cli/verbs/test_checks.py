"""The verbs of embed_check: what they print, and how they exit."""

import io
import json
from collections.abc import Iterator

import pytest
from django.core.management.base import OutputWrapper
from pytest_django import Settings

from queueops.cli.frame.console import Console
from queueops.cli.frame.verb import ShellVerb, no_arguments
from queueops.cli.verbs import checks
from queueops.operate.checks.finding import Finding, fail, ok, warn
from tests.providers import FakeProvider
from tests.queueops.cli_runner import called
from tests.queueops.factories import make_space


@pytest.mark.django_db
def test_the_command_is_a_gate(provider: FakeProvider, settings: Settings) -> None:
    settings.WEB_THREADS = settings.EMBEDDING_WORKER_THREADS = 2
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSIONS = (
        "openai",
        "fake-embed",
        8,
    )
    make_space()
    gate = called("embed_check", "all")
    assert gate.code == 0, gate.out
    assert "warn  broker persistence: " in gate.out
    assert called("embed_check", "all", "--strict").code == 1
    told = called("embed_check", "all", "--json").json
    assert told["verdict"] == "warn"
    assert {"check", "verdict", "detail", "fix"} == set(told["findings"][0])
    provider.config(rate_500=1)
    assert called("embed_check", "provider").code == 2
    assert called("embed_check", "all", "--strict").code == 2


@pytest.mark.parametrize(
    ("findings", "code", "strict"),
    [
        ([], 0, 0),
        ([ok("a", "is well")], 0, 0),
        ([ok("a", "is well"), warn("b", "is slow", "Wait.")], 0, 1),
        ([fail("a", "is down", "Start it."), warn("b", "is slow", "Wait.")], 2, 2),
    ],
)
def test_the_gravest_finding_decides_how_it_exits(findings: list[Finding], code: int, strict: int) -> None:
    for is_strict, expected in ((False, code), (True, strict)):
        assert checks.report(make_console(), findings, strict=is_strict) == expected


def make_console(out: io.StringIO | None = None, *, as_json: bool = False) -> Console:
    verb = ShellVerb("config", "", lambda console: None, no_arguments, checks.KEYS)
    return Console(verb, OutputWrapper(out or io.StringIO()), actor="ada", as_json=as_json)


def test_each_finding_is_on_a_line_as_it_comes_with_what_to_do() -> None:
    out = io.StringIO()

    def findings() -> Iterator[Finding]:
        yield ok("a", "is well")
        assert out.getvalue() == "ok    a: is well\n"
        yield warn("b", "is\nslow \x1b[2J", "Wait.")

    checks.report(make_console(out), findings())
    assert out.getvalue().splitlines()[1] == "warn  b: is slow \\x1b[2J. Wait."


def test_with_json_all_findings_are_one_object_at_the_end() -> None:
    out = io.StringIO()
    checks.report(make_console(out, as_json=True), [ok("a", "is well"), warn("b", "is slow", "Wait.")])
    assert json.loads(out.getvalue()) == {
        "verdict": "warn",
        "findings": [
            {"check": "a", "verdict": "ok", "detail": "is well", "fix": ""},
            {"check": "b", "verdict": "warn", "detail": "is slow", "fix": "Wait."},
        ],
    }
