"""The admin's lists of rows whose texts other people wrote."""

import json
from collections.abc import Callable
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import CharField, Field, JSONField, Model, TextField
from django.http import HttpRequest

from lib.admin_filters import FilteredAdmin
from lib.visible_text import readable

type Column = str | Callable[[Model], str]


class ForeignTextAdmin(FilteredAdmin):
    """Its lists write out what the texts of their columns hide. Columns made by a method do so themselves."""

    def get_list_display(self, request: HttpRequest) -> list[Column]:
        return [self._shown(column) for column in super().get_list_display(request)]

    def _shown(self, column: Column) -> Column:
        if not isinstance(column, str) or hasattr(self, column):
            return column
        try:
            field: Any = self.model._meta.get_field(column)
        except FieldDoesNotExist:
            return column
        is_text = isinstance(field, CharField | TextField | JSONField) and not field.choices
        return _column(field) if is_text else column


def _column(field: Field[Any, Any]) -> Column:
    def shown(row: Model) -> str:
        value = getattr(row, field.attname) or ""
        return readable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))

    shown.short_description = field.verbose_name  # type: ignore[attr-defined]
    return shown
