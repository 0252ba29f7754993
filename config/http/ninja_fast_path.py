"""Operations of the API without what ninja does for routes that could be anything.

Ninja asks at each request whether the callable that admits callers is a coroutine, and checks each reply against its
model, which builds it a second time: a fifth of the Python that a save runs outside its statement. Replies of these
routes are typed dicts: mypy checks them where they are made, and tests compare them with the API's document.
"""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from ninja import Router, Status
from ninja.operation import Operation


class LeanOperation(Operation):
    """An operation with one callable that admits callers, whose replies are written as they are."""

    def _run_authentication(self, request: HttpRequest) -> HttpResponse | None:
        (admit,) = self.auth_callbacks
        try:
            cast(Any, request).auth = admit(request)
        except Exception as error:
            return self.api.on_exception(request, error)
        return None

    def _result_to_response(
        self, request: HttpRequest, result: Any, temporal_response: HttpResponse
    ) -> HttpResponseBase:
        if isinstance(result, HttpResponseBase):
            return result
        if isinstance(result, Status):
            temporal_response.status_code, result = result.status_code, result.value
        if self.response_models[temporal_response.status_code] is None:  # a reply without a body
            return temporal_response
        return self.api.create_response(request, result, temporal_response=temporal_response)


def lean(router: Router) -> Router:
    """The router, with all its operations lean."""
    for view in router.path_operations.values():
        for operation in view.operations:
            operation.__class__ = LeanOperation
    return router
