"""Lists of the admin that take any filter from the address: what the database refuses is not a page of status 500."""

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import FieldError, ValidationError
from django.db import DataError, NotSupportedError, ProgrammingError, transaction
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

# Errors of Python, Django or the database for an invalid value or lookup; not those of a lost connection.
_MISFITS = (
    ArithmeticError,
    AttributeError,
    DataError,
    FieldError,
    LookupError,
    NotSupportedError,
    ProgrammingError,
    RecursionError,
    TypeError,
    ValidationError,
    ValueError,
)
# A regular expression of someone's making can keep the database busy for hours.
_REFUSED_LOOKUPS = frozenset({"regex", "iregex"})


class _ReadChangeList(ChangeList):
    """Reads its rows while it is made, not when they are shown, so that a filter that fails does so here. Raises
    IncorrectLookupParameters, for which Django leads back to the whole list and runs no action."""

    def __init__(self, request: HttpRequest, *args: Any, **options: Any) -> None:
        if not request.GET:
            super().__init__(request, *args, **options)
            return
        try:
            with transaction.atomic():  # the refusal of a statement ends no transaction around it
                super().__init__(request, *args, **options)
                len(self.result_list)
        except _MISFITS as error:
            raise IncorrectLookupParameters(str(error)) from error


class FilteredAdmin(ModelAdmin):
    """The parent of every admin class with a list. Django allows the address to filter by any lookup on the model's own
    fields, not only by those the list offers."""

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return _ReadChangeList

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """False, a 400, for regular expressions."""
        if lookup.rpartition("__")[2] in _REFUSED_LOOKUPS:
            return False
        return bool(super().lookup_allowed(lookup, value, request))
