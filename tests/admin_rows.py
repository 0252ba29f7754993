"""Rows of every kind and people with and without rights, for tests that open the admin's pages."""

import uuid
from datetime import timedelta

from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.db.models.functions import Now
from django.urls import reverse

from access.models import ApiToken
from access.sessions import Session
from articles.models import Article
from embeddings.models import ArticleEmbedding
from queueops.models import AuditLog, Metric, ProviderState, QueueState, Task, Worker
from tests.queueops.factories import make_space

NASTY = "<script>alert('x')</script>\"'&"
MODELS = sorted(site._registry, key=lambda model: model._meta.label)


def make_person(name: str, *permissions: str) -> User:
    """Somebody of the staff with these permissions (app.codename)."""
    person = User.objects.create(username=name, is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        person.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return person


def make_everything(text: str = "Some words.") -> None:
    """At least one row of every model the admin lists, with `text` wherever people or providers may write."""
    space = make_space()
    article = Article(title=text, slug="an-article", content=text, metadata={text: text})
    article.save(author=text[:50])
    ArticleEmbedding.objects.create(
        article=article,
        space=space,
        chunk_index=0,
        chunk_count=1,
        span=(0, 4),
        text_hash=b"x" * 16,
        source_version=1,
        source_hash=uuid.uuid4(),
        embedding=[0.0] * 8,
    )
    Task.objects.all().delete()
    held = {"claim_token": uuid.uuid4(), "claimed_by": text, "lease_expires_at": Now() + timedelta(hours=1)}
    written = {"article": article, "slug": text, "space": space, "metadata": {"reason": text}}
    for status in ("pending", "processing", "completed", "failed", "cancelled"):
        fields = written | (held if status == "processing" else {})
        Task.objects.create(**fields, status=status, error_class=text[:32], error_message=text)
    Worker.objects.create(name=text)
    ProviderState.objects.create(name="openai", breaker="open", opened_at=Now(), last_error=text)
    QueueState.objects.update(reason=text, changed_by=text)
    AuditLog.write_operation(text, actor=text, reason=text, scope={text: text}, task_ids=[1])
    Metric.objects.create(name=text, value=1.5, labels={text: text})
    ApiToken.objects.issue(text, ["read"])
    somebody, _ = User.objects.get_or_create(username="somebody")
    Session.objects.create(
        session_key="0" * 64,
        user=somebody,
        address=text,
        agent=text,
        expire_date=Now() + timedelta(hours=1),
    )


def list_url(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def change_url(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
