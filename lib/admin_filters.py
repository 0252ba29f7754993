"""Lists of the admin that take any filter from the address: what the database refuses is not a page of status 500."""

from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import FieldError, ValidationError
from django.db import DataError, NotSupportedError, ProgrammingError, transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
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

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """None, a redirect or a 404, for a key that no row can have."""
        return None if "\x00" in object_id else super().get_object(request, object_id, from_field)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, str] | None = None
    ) -> HttpResponse:
        """As Django's; a selected key that no row can have selects nothing."""
        if ACTION_CHECKBOX_NAME in request.POST:
            posted = request.POST.copy()
            given = posted.getlist(ACTION_CHECKBOX_NAME)
            posted.setlist(ACTION_CHECKBOX_NAME, [key for key in given if _is_key(self.model, key)])
            request.POST = posted  # type: ignore[assignment]
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response


def _is_key(model: type[Model], text: str) -> bool:
    """Whether a row of the model may have this key."""
    try:
        model._meta.pk.to_python(text)
    except (ValidationError, ValueError):
        return False
    return "\x00" not in text
