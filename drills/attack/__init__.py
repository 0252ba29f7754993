"""Attacks on a running Vectorpress of their own: each reports what got through."""
