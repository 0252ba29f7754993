"""Requests of OpenAI's protocol are read, and answered or refused."""

import base64
import json
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest

from embeddings.servers.local_embedder import model, wordpiece
from embeddings.servers.local_embedder.protocol import (
    MAX_CHARACTERS,
    MAX_INPUTS,
    Refusal,
    Request,
    answer,
    models,
    read,
)


def asked(**fields: Any) -> bytes:
    return json.dumps({"model": model.NAME, "input": "a text"} | fields).encode()


def test_a_text_is_read_as_its_tokens() -> None:
    request = read(asked())
    assert request.texts == [wordpiece.encode("a text")]
    assert (request.tokens, request.base64) == (4, False)


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"input": ["a"]}, 1),
        ({"input": ["a"] * MAX_INPUTS}, MAX_INPUTS),
        ({"input": ["a", "a"], "dimensions": 384, "encoding_format": "base64", "user": "somebody"}, 2),
    ],
)
def test_lists_and_what_other_clients_send_are_read(fields: dict[str, Any], number: int) -> None:
    assert len(read(asked(**fields)).texts) == number


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"\xff", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b"null", 400, "invalid_json"),
        (b"{}", 404, "model_not_found"),
        (asked(model="other"), 404, "model_not_found"),
        (asked(model=["x" * 10]), 404, "model_not_found"),
        (asked(dimensions=383), 400, "invalid_dimensions"),
        (asked(dimensions="384"), 400, "invalid_dimensions"),
        (asked(encoding_format="hex"), 400, "invalid_encoding_format"),
        (asked(encoding_format=None), 400, "invalid_encoding_format"),
        (asked(input=None), 400, "invalid_input"),
        (asked(input=[]), 400, "invalid_input"),
        (asked(input={}), 400, "invalid_input"),
        (asked(input=""), 400, "invalid_input"),
        (asked(input=["a", ""]), 400, "invalid_input"),
        (asked(input=["a", None]), 400, "invalid_input"),
        (asked(input=[True]), 400, "invalid_input"),
        (asked(input=[1, 2]), 400, "token_arrays_not_supported"),
        (asked(input=[[1, 2], [3]]), 400, "token_arrays_not_supported"),
        (asked(input=["a"] * (MAX_INPUTS + 1)), 400, "too_many_inputs"),
        (asked(input="a" * (MAX_CHARACTERS + 1)), 400, "context_length_exceeded"),
        (asked(input="word " * 600), 400, "context_length_exceeded"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_with_a_code(body: bytes, status: int, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(body)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_a_refusal_names_the_text_that_it_is_for() -> None:
    with pytest.raises(Refusal, match=r"input\[2\]"):
        read(asked(input=["a", "b", ""]))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            [[1045, 2003]],
            "input holds token ids, and all-MiniLM-L6-v2 takes texts.*check_embedding_ctx_length=False",
        ),
        (["a", None], r"input\[1\] must be a text; it is null"),
        ([1.5], r"input\[0\] must be a text; it is a number"),
        ([""], r"input\[0\] is empty; it must have at least one character"),
    ],
)
def test_a_refusal_says_what_was_given_and_what_to_send(given: Any, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        read(asked(input=given))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(HTTPStatus.BAD_REQUEST, "invalid_request_error"), (HTTPStatus.SERVICE_UNAVAILABLE, "server_error")],
)
def test_an_error_says_whose_fault_it_is(status: HTTPStatus, kind: str) -> None:
    error = json.loads(Refusal(status, "code", 'a "sentence"').body())["error"]
    assert error == {"message": 'a "sentence"', "type": kind, "param": None, "code": "code"}


@pytest.mark.parametrize("as_base64", [True, False])
def test_an_answer_carries_the_vectors_in_order(as_base64: bool) -> None:
    vectors = np.array([[0.5, -0.5], [1e-30, 1]], np.float32)
    found = json.loads(answer(Request([[101, 102], [101, 7, 102]], as_base64), vectors))
    assert [item["index"] for item in found["data"]] == [0, 1]
    assert found["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    rows = [item["embedding"] for item in found["data"]]
    read_back = [np.frombuffer(base64.b64decode(row), "<f4") for row in rows] if as_base64 else rows
    assert np.array_equal(np.array(read_back, np.float32), vectors)


def test_there_is_one_model() -> None:
    assert [item["id"] for item in json.loads(models())["data"]] == [model.NAME]
