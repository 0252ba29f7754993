"""Without the queue's tables the admin has no pages for them, instead of pages that fail."""

from typing import Any

from django.http import HttpRequest

from queueops.base import installed


class InstalledOnly:
    """Mixed in before an admin class of the queue: denies every view while the tables do not exist."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return installed.is_there() and bool(super().has_module_permission(request))  # type: ignore[misc]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return installed.is_there() and bool(super().has_view_permission(request, obj))  # type: ignore[misc]
