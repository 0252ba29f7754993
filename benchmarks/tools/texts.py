"""Articles for benchmarks: the same ones each time, about 800 characters long, in plain words."""

import random
from collections.abc import Iterator
from typing import NamedTuple

_VOCABULARY = """
time market river engine policy garden signal winter budget teacher memory harbor protein contract village
algorithm climate museum festival satellite recipe surgery orchestra traffic election battery novel bridge
vaccine stadium forest currency archive theatre glacier sensor union railway painting the a of in to and with
for from by on at under near before after during without against across opened reported changed improved
delayed measured built planned rejected explained described found new old quiet rapid local global public
private modern ancient hidden visible stable risky
"""
_WORDS = _VOCABULARY.split()
_SHORTEST, _LONGEST = 650, 950  # so that an article is one chunk, and one vector


class Text(NamedTuple):
    slug: str
    title: str
    content: str


def articles(count: int, seed: int = 7) -> Iterator[Text]:
    """`count` different articles; the same for the same seed."""
    chosen = random.Random(seed)
    for number in range(count):
        title = f"Article {number} of {seed} about {chosen.choice(_WORDS)}"
        yield Text(f"article-{seed}-{number}", title, _content(chosen))


def _content(chosen: random.Random) -> str:
    length = chosen.randint(_SHORTEST, _LONGEST)
    paragraphs: list[str] = []
    size = 0
    while size < length:
        paragraphs.append(" ".join(_sentence(chosen) for _ in range(chosen.randint(2, 4))))
        size += len(paragraphs[-1]) + 2
    return "\n\n".join(paragraphs)[:length]


def _sentence(chosen: random.Random) -> str:
    return " ".join(chosen.choices(_WORDS, k=chosen.randint(7, 14))).capitalize() + "."
