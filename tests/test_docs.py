"""What the documents say of the code is true of the code."""

import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.test_layers import RANK

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
SETTINGS = re.compile(
    r"env\.(?:file|path|text|secret|key|flag|integer|choice|header|http_url|origins|site|networks|contact|redis_url"
    r'|database|prices|base_url|headers|fields|prefix|ca_file|proxy)\(\s*"([A-Z_]+)"'
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    for link in links:
        assert (page.parent / link).exists(), f"{page.name} links to {link}"
    named = re.findall(
        r"`((?:articles|embeddings|queueops|access|config|lib|tests|benchmarks|drills|docs)/[\w/.*-]+)(?:::\w+)?`",
        text,
    )
    for name in named:
        assert list(ROOT.glob(name)), f"{page.name} names {name}"


def notes_of(source: str) -> list[str]:
    """The comments and docstrings of a file."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [
        token.string
        for token in tokens
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string[:3] == '"""')
    ]


def test_every_file_a_comment_names_exists() -> None:
    """A comment that names a file goes stale the day the file is moved."""
    rooms = ("access", "articles", "benchmarks", "config", "drills", "embeddings", "lib", "queueops", "tests")
    files = [str(path.relative_to(ROOT)) for room in rooms for path in (ROOT / room).rglob("*.py")]
    for file in files:
        for note in notes_of((ROOT / file).read_text()):
            for named in re.findall(r"(?<![\w/*{.<-])((?:[a-z_0-9]+/)*[a-z_0-9]+\.py)\b", note):
                exists = any(f"/{path}".endswith(f"/{named}") for path in [*files, "manage.py"])
                assert exists, f"{file} names {named}"


def section_of_architecture(title: str) -> str:
    page = (ROOT / "docs/architecture.md").read_text()
    return page.partition(f"## {title}\n")[2].partition("\n## ")[0]


CHANGES = re.findall(
    r"^\| (\w[^|]*) \| ([^|]*`[^|]*) \| ([^|]*) \|$",
    section_of_architecture("Where do I change…"),
    re.MULTILINE,
)


@pytest.mark.parametrize(("change", "places", "tests"), CHANGES)
def test_every_place_to_change_exists_and_has_a_test(change: str, places: str, tests: str) -> None:
    named = re.findall(r"`([\w.-]+/[\w/.-]+)(?:::(\w+))?`", places)
    assert named, change
    for path, name in named:
        assert (ROOT / path).exists(), path
        if name:
            assert re.search(rf"^(?:def |class )?{name}\b", (ROOT / path).read_text(), re.MULTILINE), name
    assert re.findall(r"`(tests/[\w/]+/test_\w+\.py)`", tests), change


def test_the_table_of_changes_is_there() -> None:
    assert len(CHANGES) >= 22


def test_the_architecture_ranks_the_rooms_as_the_layers_do() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)/` \|", section_of_architecture("Rooms"), re.MULTILINE)
    assert {room: int(rank) for rank, room in rows} == RANK


def test_the_readme_has_every_setting_and_no_other() -> None:
    settings = set(SETTINGS.findall((ROOT / "config/settings.py").read_text()))
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"[A-Z_]+", row)} == settings


def test_each_dependency_has_its_reason() -> None:
    reasons = (ROOT / "docs/decisions/0002-dependencies.md").read_text().lower()
    wanted = re.findall(r"^([a-z][\w-]*)", (ROOT / "requirements/run.in").read_text(), re.MULTILINE)
    missing = [name for name in wanted if name not in reasons]
    assert not missing


def test_decisions_are_numbered_from_one_on_and_say_their_number() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    for number, page in enumerate(pages, start=1):
        assert page.name.startswith(f"{number:04}-")
        assert page.read_text().startswith(f"# {number}. ")


def test_the_locks_name_no_address() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert "://" not in lock.read_text()
