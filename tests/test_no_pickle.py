"""Nothing turns bytes from elsewhere into objects: no source imports a module that can, and no setting names one."""

import ast
import json
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.serializers import JSONSerializer
from django.utils.module_loading import import_string
from dramatiq.encoder import JSONEncoder

from tests.paths import ROOT

ROOMS = ("access", "articles", "benchmarks", "config", "drills", "embeddings", "lib", "queueops", "tests")
RUNS_CODE = {
    "pickle",
    "_pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "jsonpickle",
}
LOADERS = {"unsafe_load", "full_load", "UnsafeLoader", "FullLoader", "allow_pickle"}


def sources() -> list[Path]:
    """Every Python file of the project, the script without a suffix too."""
    found = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    return [ROOT / "dev", ROOT / "manage.py", *found]


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_no_source_imports_a_module_that_makes_objects_of_bytes() -> None:
    assert len(sources()) > 300
    for path in sources():
        tree = ast.parse(path.read_text())
        assert not imported(tree) & RUNS_CODE, path
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        assert not (names | keywords) & LOADERS, path


def test_the_cache_of_django_keeps_nothing() -> None:
    """Its backends for Redis, memcached, files, tables and memory pickle what they keep."""
    assert {each["BACKEND"] for each in settings.CACHES.values()} == {
        "django.core.cache.backends.dummy.DummyCache"
    }


def test_sessions_are_json_in_the_database() -> None:
    store = import_module(settings.SESSION_ENGINE).SessionStore
    assert issubclass(store, DatabaseStore)
    assert store().serializer is JSONSerializer
    assert settings.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"


def test_messages_of_the_broker_are_json() -> None:
    encoder = import_string(settings.DRAMATIQ_ENCODER)
    assert issubclass(encoder, JSONEncoder)
    assert json.loads(encoder().encode({"queue_name": "x"})) == {"queue_name": "x"}
    assert "pickle" not in repr(settings.DRAMATIQ_BROKER).lower()
