"""Saves articles one by one through the product, in a separate process: python -m drills.timed_saves COUNT.

Prints how long the slowest took, in seconds.
"""

import sys
import time

import django
from django.utils.module_loading import import_string

from benchmarks.tools import texts

_SEED = 23


def main() -> None:
    django.setup()
    article = import_string("articles.models.Article")  # Django's registry was not ready before
    slowest = 0.0
    for text in texts.articles(int(sys.argv[1]), _SEED):
        began = time.monotonic()
        article(slug=text.slug, title=text.title, content=text.content).save()
        slowest = max(slowest, time.monotonic() - began)
    print(f"slowest {slowest:.3f}", flush=True)


if __name__ == "__main__":
    main()
