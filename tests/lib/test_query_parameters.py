"""Names of query parameters; tests/config/test_unknown_parameters.py asks every list."""

import pytest
from django.test import RequestFactory
from ninja.errors import HttpError
from pydantic import BaseModel

from lib.query_parameters import refuse_unknown


class Declared(BaseModel):
    limit: int = 1
    after: int = 0


@pytest.mark.parametrize("query", ["", "limit=1", "after=2&limit=1", "limit=1&limit=2"])
def test_declared_parameters_pass(query: str) -> None:
    refuse_unknown(RequestFactory().get(f"/?{query}"), Declared)


def test_an_unknown_one_is_named_beside_the_known_ones() -> None:
    with pytest.raises(HttpError, match="unknown parameter 'limits': use limit, after") as caught:
        refuse_unknown(RequestFactory().get("/?limits=1&limit=1"), Declared)
    assert caught.value.status_code == 422
