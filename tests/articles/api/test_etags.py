"""What entity tags say."""

from datetime import UTC, datetime, timedelta

import pytest

from articles.api.etags import etag, is_known, may_write

NOW = datetime(2026, 11, 22, 6, 0, 0, 123456, tzinfo=UTC)
TAG = etag(3, NOW)


def test_a_tag_is_strong_and_quoted() -> None:
    assert TAG == '"3-1795327200123456"'


def test_a_tag_changes_with_the_version_and_with_each_microsecond() -> None:
    assert len({TAG, etag(4, NOW), etag(3, NOW + timedelta(microseconds=1))}) == 3


@pytest.mark.parametrize(
    ("if_match", "allowed"),
    [
        (None, True),
        ("*", True),
        (TAG, True),
        (f'"other", {TAG}', True),
        (f'{TAG},"other"', True),
        ('"other"', False),
        (f"W/{TAG}", True),
        (f'{TAG[:-1]}-gzip"', True),
        (f'W/{TAG[:-1]}-zstd"', True),
        (f'{TAG[:-1]}-other"', False),
        ('W/"other"', False),
        ("", False),
        ("nonsense", False),
        (TAG.strip('"'), False),
        ('*, "other"', False),
    ],
)
def test_a_write_goes_on_when_nothing_else_changed_the_article(if_match: str | None, allowed: bool) -> None:
    assert may_write(if_match, TAG) is allowed


@pytest.mark.parametrize(
    ("if_none_match", "known"),
    [(None, False), ("*", True), (TAG, True), (f"W/{TAG}", True), ('"other"', False), ("", False)],
)
def test_a_reader_is_spared_what_it_has(if_none_match: str | None, known: bool) -> None:
    assert is_known(if_none_match, TAG) is known
