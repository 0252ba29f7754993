"""Signals of articles; always sent inside the transaction that wrote them."""

from django.dispatch import Signal

# Single saves announce themselves through Django's own post_save. Set-wise writes cannot, so they send this:
# article_ids: list[int], reason: str ("import", …)
articles_written = Signal()
