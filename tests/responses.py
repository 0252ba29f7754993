"""The type of what Django's test client returns: a response with `json()`, its request and its templates."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # django-stubs alone knows the class
    from django.test.client import _MonkeyPatchedWSGIResponse

type Response = _MonkeyPatchedWSGIResponse
