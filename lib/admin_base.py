"""Admin lists for tables of any size: counted up to a bound, never read to their end, searched by exact keys."""

from typing import TYPE_CHECKING, Any, Self

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from lib.admin_lists import ForeignTextAdmin

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator  # Django's class takes no type at run time

# A count that stops here takes milliseconds on a table of any size; people do not page further, they filter.
COUNT_LIMIT = 10_000


class BoundedCount(int):
    """A number of rows, shown as "10,000+" if counting stopped at `limit`."""

    limit: int

    def __new__(cls, count: int, limit: int = COUNT_LIMIT) -> Self:
        self = super().__new__(cls, count)
        self.limit = limit
        return self

    def __str__(self) -> str:
        return f"{int(self):,}" if self < self.limit else f"{self.limit:,}+"


class BoundedPaginator(_Paginator):
    """Counts at most `count_limit` rows and offers pages of no more."""

    count_limit = COUNT_LIMIT

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            found = rows.order_by().values("pk")[: self.count_limit].count()
            return BoundedCount(found, self.count_limit)
        return len(rows)


class BigTableAdmin(ForeignTextAdmin):
    """A list that costs the same at ten rows and at ten million. `kept_off_lists` are columns too large for it."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    list_fullwidth = True
    kept_off_lists: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        match = request.resolver_match
        on_list = match is not None and (match.url_name or "").endswith("_changelist")
        return rows.defer(*self.kept_off_lists) if on_list else rows


class ReadOnly:
    """Mixed in before an admin class: rows that only the system writes."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def row_id(term: str) -> int | None:
    """The primary key that a search term spells, if it is one."""
    return int(term) if term.isascii() and term.isdigit() and len(term) < 19 else None
