"""Fields: what they are called for people and for the database."""

import pytest

from articles.filters.fields import INDEX_PREFIX, NAME, Field, FieldType


def test_a_field_is_named_with_its_type() -> None:
    assert str(Field("userId", FieldType.STRING)) == "userId (string)"


def test_an_index_is_named_for_its_field_and_all_that_makes_it() -> None:
    names = {Field(name, type).index_name for name in ("a-b", "a.b", "A.b") for type in FieldType}
    assert len(names) == 12
    assert all(name.startswith(f"{INDEX_PREFIX}a_b_") for name in names)
    assert len(Field("x" * 63, FieldType.DATE).index_name) <= 63


@pytest.mark.parametrize("type", FieldType)
def test_a_name_is_a_literal_of_the_expression(type: FieldType) -> None:
    assert "'created.at'" in Field("created.at", type).expression.as_string(None)


@pytest.mark.parametrize(
    ("name", "is_allowed"),
    [
        ("userId", True),
        ("_a.b-c1", True),
        *[(bad, False) for bad in ("", "1a", "$a", "a%", "a'", "a{", "é", "a b", "a:b")],
    ],
)
def test_a_name_has_letters_that_need_no_quoting(name: str, is_allowed: bool) -> None:
    assert bool(NAME.fullmatch(name)) is is_allowed
