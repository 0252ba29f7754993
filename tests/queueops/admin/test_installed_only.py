"""Pages of the queue's tables are there for those who may see them, as long as the tables are."""

from types import SimpleNamespace
from typing import Any

import pytest

from queueops.admin.installed_only import InstalledOnly
from queueops.base import installed


class Permissions:
    """What the admin itself would answer."""

    may = True

    def has_module_permission(self, request: Any) -> bool:
        return self.may

    def has_view_permission(self, request: Any, obj: Any = None) -> bool:
        return self.may


class Page(InstalledOnly, Permissions):
    pass


@pytest.mark.django_db
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("may", [True, False])
def test_a_page_wants_both_the_permission_and_the_tables(
    monkeypatch: pytest.MonkeyPatch, is_there: bool, may: bool
) -> None:
    monkeypatch.setattr(installed, "_IS_UP", f"SELECT {is_there}")
    installed.forget()
    page, request = Page(), SimpleNamespace()
    page.may = may
    assert page.has_module_permission(request) is (is_there and may)  # type: ignore[arg-type]
    assert page.has_view_permission(request, None) is (is_there and may)  # type: ignore[arg-type]
