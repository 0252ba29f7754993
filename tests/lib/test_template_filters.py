"""Foreign text in a template."""

import pytest
from django.template import engines


def shown(value: object) -> str:
    template = engines["django"].from_string("{{ value|readable }}")
    return template.render({"value": value})


@pytest.mark.parametrize(
    ("value", "text"),
    [("plain", "plain"), ("<b>", "&lt;b&gt;"), (7, "7"), ("", ""), ("日本", "日本")],
)
def test_plain_text_is_escaped_and_nothing_else(value: str | int, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("hidden", ["\u202e", "\x1b", "\u200b"])
def test_hidden_characters_of_a_text_are_escaped(hidden: str) -> None:
    assert hidden not in shown(f"a{hidden}<b>")
    assert "&lt;b&gt;" in shown(f"a{hidden}<b>")
