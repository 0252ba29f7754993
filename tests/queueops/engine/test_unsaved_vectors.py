"""Vectors that could not be stored are kept within a bound, and taken once."""

from queueops.engine.unsaved_vectors import UnsavedVectors


def test_kept_vectors_are_used_once_and_in_their_space() -> None:
    kept = UnsavedVectors()
    kept.keep(1, {b"a": b"one", b"b": b"two"})
    assert kept.take(2, [b"a"]) == {}
    assert kept.take(1, [b"a", b"c"]) == {b"a": b"one"}
    assert kept.take(1, [b"a", b"b"]) == {b"b": b"two"}
    assert kept.take(1, [b"b"]) == {}


def test_beyond_the_bound_the_oldest_go() -> None:
    kept = UnsavedVectors(most_bytes=10)
    for n in range(5):
        kept.keep(1, {bytes([n]): b"four"})
    kept.keep(1, {bytes([4]): b"six..."})
    assert kept.take(1, [bytes([n]) for n in range(5)]) == {b"\3": b"four", b"\4": b"six..."}
