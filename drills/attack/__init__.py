"""Attacks on a running Vectorpress of its own: each says what got through."""
