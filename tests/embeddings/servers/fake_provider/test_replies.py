"""Answers as they leave: their pieces, their errors and every wrong way of them."""

import json

import numpy as np
import pytest

from embeddings.servers.fake_provider.replies import (
    OLLAMA,
    OPENAI,
    Reply,
    deliver,
    embeddings,
    refusal,
    spoil,
    status_fault,
)
from embeddings.servers.fake_provider.settings import REPLY_FAULTS, STATUS_FAULTS, Settings
from embeddings.servers.fake_provider.vectors import as_numbers

VECTORS = [b"[1]", b"[2]", b"[3]"]


def sent(reply: Reply) -> tuple[str, bytes]:
    head, _, body = b"".join(reply.pieces()).partition(b"\r\n\r\n")
    return head.decode(), body


@pytest.mark.parametrize("drips", [1, 2, 3, 10, 1_000])
@pytest.mark.parametrize("size", [0, 1, 10, 999])
def test_a_body_arrives_whole_in_however_many_pieces(drips: int, size: int) -> None:
    reply = Reply(200, b"x" * size, drips=drips)
    head, body = sent(reply)
    assert body == b"x" * size
    assert f"Content-Length: {size}" in head
    assert len(list(reply.pieces())) <= max(1, min(drips, size))


def test_padding_is_announced_and_sent() -> None:
    head, body = sent(Reply(200, b"{}", padding=3_000_000))
    assert body == b"{}" + b" " * 3_000_000
    assert "Content-Length: 3000002" in head


def test_a_cut_answer_announces_more_than_it_sends() -> None:
    head, body = sent(Reply(200, b"0123456789", cut=True, closes=True))
    assert body == b"01234"
    assert "Content-Length: 10" in head
    assert "Connection: close" in head


def test_a_head_names_what_is_known_and_nothing_else() -> None:
    assert sent(Reply(299, b""))[0].startswith("HTTP/1.1 299 Unknown")
    assert "Retry-After" not in sent(Reply(429, b""))[0]
    assert "Retry-After: 7" in sent(Reply(429, b"", retry_after="7"))[0]


@pytest.mark.parametrize("name", STATUS_FAULTS)
@pytest.mark.parametrize("shape", [OPENAI, OLLAMA])
def test_a_fault_of_the_status_is_worded_as_that_server_does(shape: str, name: str) -> None:
    reply = status_fault(shape, name, Settings(retry_after="3"))
    assert reply.status == ({"quota": 429, "memory": 500}.get(name) or int(name))
    assert bool(reply.location) is (name in ("301", "308"))
    assert reply.retry_after == ("3" if name in ("429", "503") else "")
    error = json.loads(reply.body)["error"]
    assert isinstance(error, str) if shape == OLLAMA else error["code"] == STATUS_FAULTS[name]


@pytest.mark.parametrize(("status", "kind"), [(400, "invalid_request_error"), (500, "server_error")])
def test_an_error_says_whose_fault_it_is(status: int, kind: str) -> None:
    assert json.loads(refusal(OPENAI, status, "c", "m").body)["error"]["type"] == kind


@pytest.mark.parametrize(
    ("fault", "indexes", "values"),
    [
        (None, [0, 1, 2], [1, 2, 3]),
        ("reordered", [2, 1, 0], [3, 2, 1]),
        ("scrambled_index", [0, 1, 0], [1, 2, 3]),
        ("duplicated", [0, 1, 0], [1, 2, 3]),
    ],
)
def test_numbering_of_openai(fault: str | None, indexes: list[int], values: list[int]) -> None:
    found = json.loads(embeddings(OPENAI, 'm"', VECTORS, 7, True, fault))
    assert [item["index"] for item in found["data"]] == indexes
    assert [item["embedding"][0] for item in found["data"]] == values
    assert (found["model"], found["usage"]["total_tokens"]) == ('m"', 7)


def test_a_single_scrambled_index_is_one_that_was_not_asked() -> None:
    assert (
        json.loads(embeddings(OPENAI, "m", VECTORS[:1], 1, False, "scrambled_index"))["data"][0]["index"] == 1
    )


@pytest.mark.parametrize(("shape", "name"), [(OPENAI, "usage"), (OLLAMA, "prompt_eval_count")])
def test_usage_may_be_left_out(shape: str, name: str) -> None:
    assert name in json.loads(embeddings(shape, "m", VECTORS, 1, True, None))
    assert name not in json.loads(embeddings(shape, "m", VECTORS, 1, False, None))


@pytest.mark.parametrize(
    ("fault", "number", "first"),
    [(None, 3, "[1]"), ("short", 2, "[1]"), ("duplicated", 4, "[1]"), ("wrong_width", 3, "[0.5]"),
     ("zero", 3, "[0.0,0.0]"),
     ("nan", 3, "[NaN,NaN]"), ("html", 3, "[1]")],
)  # fmt: skip
def test_a_fault_of_the_vectors_spoils_the_first_or_their_number(
    fault: str | None, number: int, first: str
) -> None:
    found = spoil(list(VECTORS), 2, as_numbers, fault)
    assert (len(found), found[0].decode()) == (number, first)


@pytest.mark.parametrize("fault", [None, *REPLY_FAULTS])
def test_a_fault_of_the_delivery_changes_how_a_body_goes(fault: str | None) -> None:
    reply = deliver(b"{}", 0.5, Settings(hang_s=2, huge_mb=1), fault)
    assert (reply.status, reply.delay) == (200, 0.5)
    assert (reply.kind == "text/html") is (fault == "html")
    assert (reply.drips > 1 and reply.drips * reply.pace == pytest.approx(2)) is (fault == "drip")
    assert (len(reply.body) + reply.padding == 1024 * 1024) is (fault == "huge")
    assert (reply.cut and reply.closes) is (fault == "cut")


def test_numbers_survive_their_way() -> None:
    assert np.allclose(json.loads(as_numbers(np.array([0.25, -1e-8], np.float32))), [0.25, -1e-8])
