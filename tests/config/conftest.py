"""Backups of the tests' database, and an empty database to restore them into."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from pytest_django import DjangoDbBlocker

from articles.models import Article
from config.backups import dump, manifest
from config.backups.server import Server
from embeddings.models import Space
from queueops.models import AuditLog, Task
from tests.databases import empty_database


@pytest.fixture(scope="module")
def source(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    """The tests' database with a few rows that other sessions see."""
    with django_db_blocker.unblock():
        space = Space.objects.first()
        made = [
            Article.objects.create(slug=f"backup-{n}", title=f"Ä {n}", content="a\tb\\.\n\\.\nc")
            for n in range(3)
        ]
        Task.objects.filter(article__in=made).delete()
        Task.objects.bulk_create(Task(article=article, space=space, slug=article.slug) for article in made)
        AuditLog.objects.bulk_create([AuditLog(category="operator", message="before the backup")])
        try:
            yield Server.of_settings()
        finally:
            for article in made:
                article.delete()
            AuditLog.objects.all().delete()


@pytest.fixture(scope="module")
def whole(source: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dump.make(source, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def queue(source: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dump.make(source, tmp_path_factory.mktemp("queue"), queue_only=True)


@pytest.fixture
def target() -> Iterator[Server]:
    """An empty database."""
    with empty_database("restored") as url:
        yield Server({name: str(value) for name, value in conninfo_to_dict(url).items()})


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy of the whole backup, to spoil."""
    return copied(whole, tmp_path)


@pytest.fixture
def queue_copy(queue: Path, tmp_path: Path) -> Path:
    """A copy of the queue's backup, to spoil."""
    return copied(queue, tmp_path)


def copied(archive: Path, folder: Path) -> Path:
    """A backup in another folder."""
    shutil.copy(manifest.beside(archive), folder)
    return Path(shutil.copy(archive, folder))
