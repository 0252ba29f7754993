"""Saves, edits and deletes articles until it is stopped, in a separate process: python -m drills.write_load SEED.

Each write that was accepted is a line on standard output.
"""

import random
import sys
import time
from typing import Any

import django
from django.db import DatabaseError, InterfaceError, connection
from django.utils.module_loading import import_string

from benchmarks.tools import texts

_WRITES_A_SECOND = 25
_MOST_ARTICLES = 400


def main() -> None:
    django.setup()
    seed = int(sys.argv[1])
    chosen = random.Random(f"{seed} {time.time()}")  # a second one with the same seed must write other texts
    article = import_string("articles.models.Article")
    for text in texts.articles(sys.maxsize, chosen.randrange(2**31)):
        try:
            _write(article, text, chosen)
            print("written", flush=True)
        except (DatabaseError, InterfaceError):  # the drill may have stopped the server
            connection.close()
        time.sleep(chosen.expovariate(_WRITES_A_SECOND))


def _write(article: Any, text: texts.Text, chosen: random.Random) -> None:
    ids = list(article.objects.values_list("pk", flat=True))
    draw = chosen.random()
    if len(ids) > _MOST_ARTICLES or (ids and draw < 0.15):
        article.objects.filter(pk=chosen.choice(ids)).delete()
    elif ids and draw < 0.6:
        found = article.objects.filter(pk=chosen.choice(ids)).first()
        if found is not None:
            found.content = text.content
            found.save()
    else:
        article(slug=text.slug, title=text.title, content=text.content).save()


if __name__ == "__main__":
    main()
