"""The form of request that a server understands is found field by field, with few requests."""

from typing import Any

import pytest

from embeddings.providers.request_dialect import Form, find

NAMES = ("encoding_format", "dimensions", "user")


class Server:
    """Understands some fields, lists or only texts; counts what it was asked."""

    def __init__(self, *fields: str, lists: bool = True, texts: bool = True) -> None:
        self._fields, self._lists, self._texts = set(fields), lists, texts
        self.asked: list[Form] = []

    def understands(self, form: Form) -> bool:
        self.asked.append(form)
        return set(form.fields) <= self._fields and (self._lists if form.as_list else self._texts)


@pytest.mark.parametrize(
    ("server", "found", "requests"),
    [
        (Server(*NAMES), Form(NAMES), 1),
        (Server("encoding_format", "user"), Form(("encoding_format", "user")), 5),
        (Server("dimensions"), Form(("dimensions",)), 5),
        (Server("user"), Form(("user",)), 5),
        (Server(), Form(), 5),
        (Server(lists=False), Form((), as_list=False), 6),
        (Server("dimensions", lists=False), Form(("dimensions",), as_list=False), 6),
        (Server(lists=False, texts=False), None, 3),
    ],
)
def test_each_field_is_judged_apart(server: Any, found: Any, requests: int) -> None:
    assert find(NAMES, server.understands) == found
    assert len(server.asked) == requests


def test_a_server_that_failed_once_by_itself_teaches_nothing() -> None:
    failing = iter([False])
    assert find(("encoding_format",), lambda form: next(failing, True)) == Form(("encoding_format",))


def test_without_optional_fields_there_is_only_the_list_to_learn() -> None:
    server = Server(lists=False)
    assert find((), server.understands) == Form((), as_list=False)
    assert len(server.asked) == 2
