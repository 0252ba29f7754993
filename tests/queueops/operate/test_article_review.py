"""Articles of a window of time are marked for review, and get back the text they had before it."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from articles.models import Article, ArticleVersion
from embeddings.models import Space
from queueops.models import AuditLog, Status, Task
from tests.queueops.cli_runner import Called, called
from tests.queueops.factories import make_article, make_space, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space() -> Space:
    return make_space()


def make_old(article: Article) -> Article:
    """As if it had been made long ago, by its one version."""
    ArticleVersion.objects.filter(article=article).update(created_at=Now() - timedelta(days=2))
    return article


def damage(article: Article) -> Article:
    article.title, article.content = "Damaged", "Nothing of it is left."
    article.save()
    return article


def review(*words: str) -> Called:
    return called(
        "review_flag", "--since=1h", "--reason=a bad import", "--yes", "--json", "--actor=ada", *words
    )


def marked() -> set[int]:
    return set(Article.objects.having({"needs_review": True}).values_list("pk", flat=True))


def test_articles_that_changed_or_were_worked_on_in_the_window_are_marked(space: Space) -> None:
    changed, untouched = damage(make_old(make_article("A"))), make_old(make_article("B"))
    (worked_on,) = [task.article for task in make_tasks(1, space, Status.PROCESSING, processed_at=Now())]
    (long_done,) = make_tasks(1, space, Status.COMPLETED, processed_at=Now() - timedelta(days=1))
    make_old(long_done.article)
    done = review()
    assert (done.code, done.json["articles"], done.json["changed"]) == (0, 2, 2)
    assert marked() == {changed.pk, worked_on.pk}
    assert untouched.pk not in marked()
    row = AuditLog.objects.get(operation_id=done.json["operation"])
    assert (row.actor, row.metadata["reason"], row.metadata["articles"]) == ("ada", "a bad import", 2)
    assert review().json["changed"] == 0
    assert review("--clear").json["changed"] == 2
    assert marked() == set()


def test_marking_keeps_other_metadata_and_makes_no_task_and_no_version() -> None:
    article = make_article("A", metadata={"kind": "a"})
    tasks = Task.objects.count()
    review()
    article.refresh_from_db()
    assert article.metadata == {"kind": "a", "needs_review": True}
    assert (article.version_number, Task.objects.count()) == (1, tasks)


def test_the_text_from_before_the_window_comes_back_as_a_new_version() -> None:
    article = damage(damage(make_old(make_article("Good", "A good text."))))
    done = review("--restore")
    assert (done.code, done.json["changed"]) == (0, 1)
    article.refresh_from_db()
    assert (article.title, article.content, article.version_number) == ("Good", "A good text.", 3)
    assert article.versions.get(version_number=3).author == "ada"
    assert article.versions.get(version_number=2).title == "Damaged"
    assert Task.objects.pending().filter(article=article).exists()
    assert review("--restore").json["changed"] == 0


def test_articles_without_an_earlier_text_or_changed_since_are_skipped_and_reported() -> None:
    damage(make_article("Made in the window"))
    mended = damage(make_old(make_article("Mended")))
    ArticleVersion.objects.filter(article=mended, version_number=2).update(
        created_at=Now() - timedelta(minutes=30)
    )
    mended.title = "Mended by hand"
    mended.save()
    done = called("review_flag", "--since=1h", "--until=10m", "--reason=x", "--yes", "--restore", "--json")
    assert (done.code, done.json["changed"], done.json["changed_since"]) == (1, 0, 1)
    done = review("--restore")
    assert (done.code, done.json["without_earlier"]) == (1, 1)
    mended.refresh_from_db()
    assert mended.title == "Mended"  # its hand-made text was within this wider window


def test_many_articles_are_marked_batch_by_batch(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queueops.operate.article_review._BATCH", 2)
    make_tasks(5, space, Status.COMPLETED, processed_at=Now())
    done = review()
    assert done.json["changed"] == 5
    assert AuditLog.objects.filter(operation_id=done.json["operation"]).count() == 3


def test_a_look_at_a_restore_counts_what_has_an_earlier_text(space: Space) -> None:
    damage(make_old(make_article("Good", "A good text.")))
    damage(make_article("Made in the window"))
    make_tasks(1, space, Status.COMPLETED, processed_at=Now())
    look = ("review_flag", "--since=1h", "--restore")
    said = called(*look, "--dry-run").out
    assert said.startswith("This would restore the earlier text of 1 of 3 articles")
    assert review("--restore").json["changed"] == 1
    assert "the earlier text of 0 of 3 articles" in called(*look, "--dry-run").out
