"""Filters that every template has without loading them."""

from django import template
from django.template.defaultfilters import stringfilter

from lib import visible_text

register = template.Library()


@register.filter
@stringfilter
def readable(text: str) -> str:
    """Foreign text with what it hides written out; plain text, which the template escapes."""
    return visible_text.readable(text)
