"""The form of request that a server understands, found by sending a harmless text; pure but for those requests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """`fields` are the optional fields of a request that are sent; `as_list`: whether texts are sent as a list, else
    one per request."""

    fields: tuple[str, ...] = ()
    as_list: bool = True

    def __str__(self) -> str:
        return f"{', '.join(self.fields) or 'no optional field'}; {'lists' if self.as_list else 'one text a request'}"


def find(names: Sequence[str], understands: Callable[[Form], bool]) -> Form | None:
    """The form with the most of these optional fields that the server understands; None if it understands none.

    Each field is judged apart, so that one that is refused costs no other, and again, so that a server that failed for
    another reason teaches nothing. At most 3 + len(names) requests, one if everything is understood.
    """
    whole = Form(tuple(names))
    if understands(whole):
        return whole
    for as_list in (True, False):
        bare = Form((), as_list)
        if bare != whole and understands(bare):
            return _with_fields(bare, names, understands)
    return None


def _with_fields(form: Form, names: Sequence[str], understands: Callable[[Form], bool]) -> Form:
    for name in names:
        richer = Form((*form.fields, name), form.as_list)
        if understands(richer):
            form = richer
    return form
