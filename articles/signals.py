"""Signals of articles; always sent inside the transaction that wrote them."""

from django.dispatch import Signal

# Articles were written: by an import, or by a save of one that was there ("edit"). A new article by itself is not
# announced: what others keep beside it is written in its statement (articles/insert.py).
# article_ids: list[int], reason: str ("edit", "import", …)
articles_written = Signal()
