"""The admin's menu leads to pages that exist, and shows each person what they may see."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from config.admin_theme import NAVIGATION, TABS
from queueops.base import installed

GROUPS: Any = NAVIGATION
ENTRIES: list[dict[str, Any]] = [entry for group in GROUPS for entry in group["items"]]
OF_MODELS = [entry for entry in ENTRIES if "permission" in entry and "/admin/" in str(entry["link"])]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry["title"]))
def test_every_entry_leads_somewhere(entry: dict[str, Any]) -> None:
    assert str(entry["link"]).startswith("/admin/")
    assert entry["icon"]


def request(*permissions: str) -> Any:
    return SimpleNamespace(user=SimpleNamespace(has_perm=lambda permission: permission in permissions))


def titles(asked: Any) -> list[str]:
    return [str(entry["title"]) for entry in OF_MODELS if entry["permission"](asked)]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "is_there", lambda: True)


@pytest.mark.usefixtures("there")
def test_a_list_is_shown_to_those_who_may_view_it() -> None:
    own = titles(SimpleNamespace(user=AnonymousUser()))
    assert set(titles(request("articles.view_article"))) == {*own, "Articles"}
    assert set(titles(request("queueops.view_task", "auth.view_user"))) == {*own, "Tasks", "Users"}


def test_without_the_queue_its_lists_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "is_there", lambda: False)
    assert "Tasks" not in titles(request("queueops.view_task"))
    assert "Articles" in titles(request("articles.view_article"))


def test_one_tab_is_active_where_no_state_is_asked_for() -> None:
    tasks: Any = TABS[0]
    everything, *states = tasks["items"]
    assert everything["active"](SimpleNamespace(GET={}))
    assert not everything["active"](SimpleNamespace(GET={"status__exact": "failed"}))
    assert all("status__exact=" in str(state["link"]) for state in states)
