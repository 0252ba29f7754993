"""Saves articles one by one through the product, in a process of its own: python -m drills.saver COUNT."""

import sys

import django
from django.utils.module_loading import import_string

from benchmarks.tools import texts

_SEED = 23


def main() -> None:
    django.setup()
    article = import_string("articles.models.Article")  # Django's registry was not ready before
    for text in texts.articles(int(sys.argv[1]), _SEED):
        article(slug=text.slug, title=text.title, content=text.content).save()


if __name__ == "__main__":
    main()
