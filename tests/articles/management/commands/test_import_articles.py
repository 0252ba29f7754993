"""`manage.py import_articles`, as an operator uses it."""

import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from articles.models import Article, ArticleVersion, Provenance

pytestmark = pytest.mark.django_db


def make_file(path: Path, *objects: dict[str, Any] | str) -> str:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in objects))
    return str(path)


def imported(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_articles", *arguments, stdout=out, stderr=err)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_a_file_is_imported_and_again_changes_nothing(tmp_path: Path) -> None:
    path = make_file(
        tmp_path / "a.jsonl", {"title": "One"}, {"title": "One"}, {"title": "Two", "slug": "zwei"}
    )
    code, out, err = imported("--jsonl", path)
    assert (code, err) == (0, "")
    assert out.startswith("a.jsonl: 3 created, 0 updated, 0 unchanged, 0 refused (")
    assert imported("--jsonl", path)[1].startswith("a.jsonl: 0 created, 0 updated, 3 unchanged, 0 refused (")
    slugs = sorted(Article.objects.values_list("slug", flat=True))
    assert slugs == [slugs[0], f"{slugs[0]}-2", "zwei"]


def test_each_refused_line_is_shown_with_its_place_and_reason_and_the_rest_is_imported(
    tmp_path: Path,
) -> None:
    path = make_file(
        tmp_path / "articles.jsonl",
        {"title": "x" * 412},
        {"title": "nul", "content": "a\x00b"},
        {"title": "surrogate \ud800"},
        {"title": 12},
        {"content": "no title"},
        {"title": "s", "slug": "Not A Slug"},
        {"title": "m", "metadata": [1]},
        {"title": "m", "metadata": {"a": "\ud800"}},
        {"title": "fine", "slug": "fine"},
        {"title": "again", "slug": "fine"},
        "{broken",
    )
    code, out, err = imported("--jsonl", path, "--batch-size", "4")
    lines = err.splitlines()
    assert code == 1
    assert "1 created, 0 updated, 0 unchanged, 10 refused" in out
    assert len(lines) == 10
    assert lines[0] == "articles.jsonl line 1: title is longer than 300 characters (it has 412)"
    assert [line.split(":")[0] for line in lines[1:3]] == ["articles.jsonl line 2", "articles.jsonl line 3"]
    assert lines[3] == "articles.jsonl line 4: title is int; it must be a text"
    assert lines[4] == "articles.jsonl line 5: title is missing"
    assert lines[8] == "articles.jsonl line 10: slug 'fine' was already used by articles.jsonl line 9"
    assert Article.objects.get().slug == "fine"


def test_a_changed_text_gets_a_version_with_its_author(tmp_path: Path) -> None:
    imported("--jsonl", make_file(tmp_path / "a.jsonl", {"title": "One", "content": "old"}))
    imported(
        "--jsonl", make_file(tmp_path / "a.jsonl", {"title": "One", "content": "new"}), "--author", "Ada"
    )
    versions = ArticleVersion.objects.values_list("version_number", "content", "author")
    assert list(versions) == [(2, "new", "Ada"), (1, "old", "")]


def test_a_machine_reads_the_summary_as_json(tmp_path: Path) -> None:
    code, out, _ = imported("--json", "--jsonl", make_file(tmp_path / "a.jsonl", {"title": "One"}, "x"))
    told = json.loads(out)
    assert code == 1
    assert told.pop("seconds") >= 0
    assert told == {
        "source": "a.jsonl",
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "refused": 1,
        "refusals": [
            {"place": "a.jsonl line 2", "reason": "is not valid JSON: Expecting value at character 1"}
        ],
    }


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"title": "One"}\nx\n')))
    code, _, err = imported("--jsonl", "-")
    assert (code, Article.objects.get().title) == (1, "One")
    assert err.startswith("standard input line 2: is not valid JSON")


def test_csv_and_markdown_are_imported(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,content,lang\nOne,Text,en\n")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "two.md").write_text("---\ntags: [x]\n---\n# Two\n")
    assert imported("--csv", str(tmp_path / "a.csv"))[0] == 0
    assert imported("--markdown", str(tmp_path / "notes"))[0] == 0
    assert list(Article.objects.order_by("id").values_list("slug", "title", "metadata")) == [
        ("one", "One", {"lang": "en"}),
        ("two", "Two", {"tags": ["x"]}),
    ]


def test_an_unreadable_source_is_reported_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot read .*none\.jsonl: No such file or directory") as caught:
        imported("--jsonl", str(tmp_path / "none.jsonl"))
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="there is no column called title"):
        imported("--csv", make_file(tmp_path / "a.csv", "name,text"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "one of the arguments --pydoc --markdown --jsonl --csv is required"),
        (["--pydoc", "--csv", "x"], "not allowed with argument"),
        (["--pydoc", "--batch-size", "0"], "'0' is not a whole number from 1 to 5,000"),
        (["--pydoc", "--batch-size", "many"], "'many' is not a whole number from 1 to 5,000"),
        (["--pydoc", "--author", "x" * 151], "--author is longer than 150 characters"),
    ],
)
def test_wrong_options_are_reported_in_a_sentence(arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        imported(*arguments)


def test_what_was_written_before_the_source_broke_off_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"title\nOne\nTwo\n" + b'"Never closed\n')
    assert imported("--csv", str(path))[0] == 1
    assert Article.objects.count() == 2


def test_a_link_in_a_folder_is_refused_with_a_sentence_and_publishes_nothing(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("vp_secret")
    folder = tmp_path / "md"
    folder.mkdir()
    (folder / "token.md").symlink_to(tmp_path / "token")
    os.mkfifo(folder / "pipe.md")
    (folder / "fine.md").write_text("# Fine")
    code, out, err = imported("--markdown", str(folder))
    assert code == 1
    assert ": 1 created, 0 updated, 0 unchanged, 2 refused (" in out
    assert err.splitlines() == [
        "pipe.md: is not a regular file",
        "token.md: is a link, and links are not followed; --follow-links follows them",
    ]
    assert list(Article.objects.values_list("slug", flat=True)) == ["fine"]
    assert imported("--markdown", str(folder), "--follow-links")[1].count("1 created") == 1
    assert Article.objects.get(slug="token").content == "vp_secret"


def test_links_are_followed_in_folders_only(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="goes with --markdown"):
        imported("--jsonl", make_file(tmp_path / "a.jsonl", {"title": "One"}), "--follow-links")


def test_the_one_file_that_a_person_names_may_be_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=('{"title": "Piped"}\n',))
    writer.start()
    code, out, err = imported("--jsonl", str(pipe))
    writer.join()
    assert (code, out.startswith("pipe: 1 created")) == (0, True)
    assert err == f"{pipe} is a pipe: reading what another program writes to it\n"


def test_names_of_files_cannot_move_the_cursor_or_turn_the_text(tmp_path: Path) -> None:
    (tmp_path / "a\u202e\x1b[31m\n.md").write_bytes(b"\xff")
    _, _, err = imported("--markdown", str(tmp_path))
    assert err.startswith("a\\u202e\\x1b[31m .md: is not valid UTF-8")


CSV_FILES: dict[str, tuple[bytes, int, str]] = {
    "an old Mac's": (b"title,content\rMac one,body\r", 0, ""),
    "UTF-16": ("title\nOne\n".encode("utf-16"), 0, ""),
    "backslashes": (
        b'title,content\n"Back slash","say \\"hi\\" now"\nTwo,x\n',
        1,
        "line 2: is not valid CSV",
    ),
    "another encoding": ("title\nCafé\nTwo\n".encode("latin-1"), 1, "--encoding windows-1252"),
    "a broken header": (b'"title" x\nOne\n', 2, "the header is not valid CSV"),
    "broken UTF-16": (b"\xff\xfet\x00i", 2, "is not valid utf-16"),
}


@pytest.mark.parametrize(("data", "code", "said"), CSV_FILES.values(), ids=CSV_FILES)
def test_files_of_other_programs_end_with_the_documented_code(
    tmp_path: Path, data: bytes, code: int, said: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    try:
        found, _, err = imported("--csv", str(path))
    except CommandError as error:
        found, err = error.returncode, str(error)
    assert found == code
    assert said in err


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(CommandError, match="'klingon' is not an encoding"):
        imported("--csv", "a.csv", "--encoding", "klingon")


def a_tree(root: Path, *paths: str) -> str:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"# Read me\n\nText of {path}.\n")
    return str(root)


def origins() -> dict[str, str]:
    """Path and slug of each article that was imported."""
    return dict(Provenance.objects.values_list("path", "article__slug"))


def test_a_folder_that_has_grown_changes_no_article(tmp_path: Path) -> None:
    imported("--markdown", a_tree(tmp_path / "docs", "b/README.md", "c/README.md"))
    before = dict(Article.objects.values_list("slug", "content"))
    code, out, _ = imported("--markdown", a_tree(tmp_path / "docs", "a/README.md"))
    assert (code, out.partition(" (")[0].partition(": ")[2]) == (
        0,
        "1 created, 0 updated, 2 unchanged, 0 refused",
    )
    assert before.items() <= dict(Article.objects.values_list("slug", "content")).items()


def test_a_renamed_file_is_a_new_article_unless_its_front_matter_identifies_it(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    a_tree(folder, "a.md")
    (folder / "b.md").write_text("---\nuid: 17\n---\n# B\n")
    imported("--markdown", str(folder), "--id-field", "uid")
    assert origins() == {"a.md": "read-me", "id:17": "b"}
    (folder / "a.md").rename(folder / "a2.md")
    (folder / "b.md").rename(folder / "b2.md")
    assert "1 created, 0 updated, 1 unchanged" in imported("--markdown", str(folder), "--id-field", "uid")[1]
    assert origins() == {"a.md": "read-me", "a2.md": "read-me-a2", "id:17": "b"}


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("--csv", "id,title\n1,One\n2,One\n", "id,title\n3,One\n1,New\n2,One\n"),
        (
            "--jsonl",
            '{"id": 1, "title": "One"}\n{"id": "2", "title": "One"}\n',
            '{"id": "3", "title": "One"}\n{"id": "1", "title": "New"}\n{"id": 2, "title": "One"}\n',
        ),
    ],
)
def test_rows_with_an_id_stay_their_articles(tmp_path: Path, name: str, first: str, second: str) -> None:
    path = tmp_path / "a"
    path.write_text(first)
    assert imported(name, str(path))[0] == 0
    before = origins()
    path.write_text(second)
    assert "1 created, 1 updated, 1 unchanged" in imported(name, str(path))[1]
    assert before.items() <= origins().items()
    assert Article.objects.get(slug="one").title == "New"


def as_csv(*rows: tuple[str, str]) -> bytes:
    return "\n".join(["title,content", *(f"{title},{text}" for title, text in rows)]).encode()


def as_jsonl(*rows: tuple[str, str]) -> bytes:
    return b"\n".join(json.dumps({"title": title, "content": text}).encode() for title, text in rows)


@pytest.mark.parametrize(("name", "written"), [("--csv", as_csv), ("--jsonl", as_jsonl)])
@pytest.mark.parametrize("is_pipe", [True, False])
def test_rows_without_id_and_slug_stay_their_articles_when_rows_are_added_and_removed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    written: Callable[..., bytes],
    is_pipe: bool,
) -> None:
    def summary(*rows: tuple[str, str]) -> str:
        if is_pipe:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(written(*rows))))
        (tmp_path / "a").write_bytes(written(*rows))
        code, out, _ = imported(name, "-" if is_pipe else str(tmp_path / "a"), "--batch-size", "2")
        assert code == 0
        return out.partition(": ")[2].partition(", 0 refused")[0]

    def articles() -> dict[str, tuple[int, str]]:
        rows = Article.objects.values_list("slug", "id", "content")
        return {slug: (pk, text) for slug, pk, text in rows}

    a, b, c, other = ("Notes", "a"), ("Notes", "b"), ("Notes", "c"), ("Other", "o")
    assert summary(a, other) == "2 created, 0 updated, 0 unchanged"
    first = articles()
    assert first.keys() == {"notes", "other"}
    assert summary(b, a, other) == "1 created, 0 updated, 2 unchanged"
    second = articles()
    assert first.items() <= second.items()
    assert summary(c, b, other, a) == "1 created, 0 updated, 3 unchanged"
    third = articles()
    assert second.items() <= third.items()
    assert summary(other, c) == "0 created, 0 updated, 2 unchanged"
    assert summary(a, b, c, other) == "0 created, 0 updated, 4 unchanged"
    assert articles() == third


def test_an_edit_of_a_row_follows_its_title_and_where_others_have_it_makes_an_article(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(as_csv(("Tin", "a"), ("Notes", "a"), ("Notes", "b")))
    imported("--csv", str(path))
    path.write_bytes(as_csv(("Tin", "edited"), ("Notes", "a"), ("Notes", "edited")))
    assert "1 created, 1 updated, 1 unchanged" in imported("--csv", str(path))[1]
    assert Article.objects.get(slug="tin").content == "edited"
    assert sorted(Article.objects.filter(title="Notes").values_list("content", flat=True)) == [
        "a",
        "b",
        "edited",
    ]


def test_a_pipe_of_rows_with_ids_needs_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Standard:
        buffer = io.BytesIO(b'{"id": 1, "title": "One"}\n')

    monkeypatch.setattr("sys.stdin", Standard())
    with pytest.raises(CommandError, match="has no name: give --source NAME"):
        imported("--jsonl", "-")
    Standard.buffer = io.BytesIO(b'{"id": 1, "title": "One"}\n')
    assert imported("--jsonl", "-", "--source", "feed")[0] == 0
    assert Provenance.objects.get().source == "feed"


@pytest.mark.parametrize(
    "line",
    ['{"title": "a", "id": 1.5}', '{"title": "a", "id": true}', '{"title": "a", "provenance": {"source": "s"}}',
     '{"title": "a", "provenance": "s"}', '{"title": "a", "provenance": {"source": "", "path": "p"}}'],
)  # fmt: skip
def test_an_id_or_provenance_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    code, _, err = imported("--jsonl", make_file(tmp_path / "a.jsonl", line))
    assert code == 1
    assert "line 1: has an id that is not a text or a whole number" in err


def test_an_export_keeps_where_articles_came_from(tmp_path: Path) -> None:
    tree = a_tree(tmp_path / "docs", "b/README.md", "c/README.md")
    imported("--markdown", tree)
    before = origins()
    path = str(tmp_path / "all.jsonl")
    call_command("export_articles", output=path, stdout=io.StringIO())
    assert "0 created, 0 updated, 2 unchanged" in imported("--jsonl", path)[1]
    Article.objects.all().delete()
    assert "2 created" in imported("--jsonl", path)[1]
    assert origins() == before
    assert "0 created, 0 updated, 2 unchanged" in imported("--markdown", tree)[1]
