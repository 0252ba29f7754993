"""An entry of a source stays the same article, whatever its title and its neighbours are by now."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from articles import limits
from articles.importing.batches import run
from articles.importing.drafts import Draft
from articles.importing.entries import Entry, RefusedEntry, Row, Source, SourceUnreadable
from articles.importing.identity import Origin
from articles.importing.writer import BatchResult, write_batch
from articles.models import Article, ImportSource, Provenance
from tests.concurrently import another_session, together, waiting_sessions
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


def a_draft(
    path: str, title: str = "Read me", content: str = "", slug: str = "", source: str = "docs"
) -> Draft:
    return Draft(f"place of {path}", slug, title, content or f"Text of {path}.", "{}", source, path)


def imported(*drafts: Draft) -> dict[str, str]:
    """Writes them; slug and text of each article, by path."""
    write_batch(drafts)
    return {
        known.path: f"{known.article.slug}: {known.article.content}"
        for known in Provenance.objects.select_related("article")
    }


def test_a_file_added_before_others_of_its_title_moves_no_text() -> None:
    before = imported(a_draft("b/README.md"), a_draft("c/README.md"))
    assert before == {
        "b/README.md": "read-me: Text of b/README.md.",
        "c/README.md": "read-me-c-readme: Text of c/README.md.",
    }
    result = write_batch([a_draft("a/README.md"), a_draft("b/README.md"), a_draft("c/README.md")])
    assert result == BatchResult(created=1, unchanged=2)
    after = imported()
    assert after == before | {"a/README.md": "read-me-a-readme: Text of a/README.md."}
    assert set(Article.objects.values_list("version_number", flat=True)) == {1}


def test_an_entry_whose_title_changes_stays_its_article() -> None:
    imported(a_draft("a.md", title="Old"))
    assert write_batch([a_draft("a.md", title="New", content="New text")]) == BatchResult(updated=1)
    article = Article.objects.get()
    assert (article.slug, article.title, article.versions.count()) == ("old", "New", 2)


def test_a_slug_of_its_own_is_taken_at_the_first_import_and_stays() -> None:
    imported(a_draft("a.md", slug="mine"))
    imported(a_draft("a.md", slug="another"))
    assert Article.objects.get().slug == "mine"


def test_two_entries_that_want_one_slug_both_get_an_article() -> None:
    slugs = imported(a_draft("en/a.md", slug="a"), a_draft("de/a.md", slug="a"))
    assert [text.partition(":")[0] for text in slugs.values()] == ["a", "a-de-a"]


def test_an_article_that_no_import_made_is_not_overwritten_by_one_of_its_title() -> None:
    Article(title="Read me", content="By a person.").save()
    imported(a_draft("a.md"))
    assert Article.objects.get(slug="read-me").content == "By a person."
    assert Article.objects.get(slug="read-me-a").content == "Text of a.md."


@pytest.mark.parametrize(("slug", "content"), [("read-me", "Other text"), ("", "The same")])
def test_an_article_that_no_import_made_is_taken_by_its_slug_or_its_whole_text(
    slug: str, content: str
) -> None:
    Article(title="Read me", content="The same").save()
    imported(a_draft("a.md", slug=slug, content=content))
    assert (Article.objects.get().content, Provenance.objects.count()) == (content, 1)


def test_the_same_path_of_another_source_is_another_article() -> None:
    imported(a_draft("a.md"), a_draft("a.md", source="wiki"))
    assert Article.objects.count() == 2


def test_many_entries_of_one_title_get_slugs_of_their_paths() -> None:
    slugs = imported(*(a_draft(f"{number}/README.md") for number in range(300)))
    assert len(set(slugs.values())) == 300
    assert slugs["299/README.md"].startswith("read-me-299-readme: ")


def test_slugs_of_long_paths_fit_and_differ() -> None:
    long = "x" * 240
    drafts = [a_draft(f"{long}/{number}.md", title=long) for number in range(4)]
    slugs = [text.partition(":")[0] for text in imported(*drafts).values()]
    assert len(set(slugs)) == 4
    assert max(map(len, slugs)) <= limits.MAX_SLUG


def test_an_article_deleted_here_comes_back_at_the_next_import() -> None:
    imported(a_draft("a.md"))
    Article.objects.get().delete()
    assert write_batch([a_draft("a.md")]) == BatchResult(created=1)


@pytest.mark.django_db(transaction=True)
def test_a_slug_that_somebody_takes_meanwhile_is_left_to_them() -> None:
    done: list[BatchResult] = []
    drafts = [a_draft("a.md"), a_draft("b.md")]
    with another_session() as other:
        other.execute(
            "INSERT INTO articles (slug, title, content) VALUES ('read-me', 'Read me', 'By a person.')"
        )
        thread = threading.Thread(target=lambda: done.extend(together(1, lambda: write_batch(drafts))))
        thread.start()
        wait_until(lambda: waiting_sessions() == 1, what="the import to wait for the slug")
        other.commit()
    thread.join()
    assert done == [BatchResult(created=2)]
    assert Article.objects.get(slug="read-me").content == "By a person."
    assert sorted(known.article.content for known in Provenance.objects.all()) == [
        "Text of a.md.",
        "Text of b.md.",
    ]


@pytest.mark.django_db(transaction=True)
def test_imports_of_one_tree_at_once_write_it_once() -> None:
    drafts = [a_draft(f"{number}/README.md") for number in range(20)]
    results = together(4, lambda: write_batch(drafts))
    assert sum(result.created for result in results) == 20
    assert Article.objects.count() == Provenance.objects.count() == 20


def rows(*paths: str) -> Iterator[Entry]:
    yield from (Row(f"line {n}", {"title": path}, n, path) for n, path in enumerate(paths, 1))


def refusals(origin: Origin, *paths: str) -> list[RefusedEntry]:
    source = Source("test", rows(*paths), None)
    return [refusal for step in run(source, 10, origin=origin) for refusal in step.result.refusals]


def test_an_id_given_twice_is_refused_with_the_first_place() -> None:
    (refused,) = refusals(Origin("docs", "/docs"), "7", "8", "7")
    assert str(refused) == "line 3: '7' was already used by line 1"


@pytest.mark.parametrize("path", ["x" * 501, "a\nb"])
def test_an_id_that_cannot_be_kept_is_refused(path: str) -> None:
    assert len(refusals(Origin("docs", "/docs"), path)) == 1


def test_another_folder_of_the_same_name_is_refused_until_it_is_named() -> None:
    assert refusals(Origin("docs", "/a/docs"), "a.md") == []
    with pytest.raises(
        SourceUnreadable, match=r"'docs' was imported from /a/docs before, and is now /b/docs"
    ):
        refusals(Origin("docs", "/b/docs"), "a.md")
    assert refusals(Origin("docs", "/b/docs", is_given=True), "a.md") == []
    assert refusals(Origin("docs", "/b/docs"), "a.md") == []
    assert ImportSource.objects.get().location == "/b/docs"
    assert Article.objects.count() == 1


def test_ids_of_a_source_without_a_name_are_refused() -> None:
    with pytest.raises(SourceUnreadable, match="has no name: give --source NAME"):
        refusals(Origin(), "7")


def test_the_path_of_an_entry_is_found_by_its_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT FROM article_provenance WHERE source = 'a' AND path = 'b'")
        assert "article_provenance_entry" in str(cursor.fetchall())
