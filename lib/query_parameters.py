"""Names of a request's query parameters: an unknown one is refused, since a misspelt filter would select all.

The framework reads the declared parameters and never sees the others.
"""

from django.http import HttpRequest
from ninja.errors import HttpError
from pydantic import BaseModel

_SHOWN = 60


def refuse_unknown(request: HttpRequest, declared: type[BaseModel]) -> None:
    """Raises HttpError 422, naming the first unknown parameter and the known ones, the fields of `declared`."""
    if unknown := sorted(request.GET.keys() - declared.model_fields.keys()):
        known = ", ".join(declared.model_fields)
        raise HttpError(422, f"unknown parameter {unknown[0][:_SHOWN]!a}: use {known}")
