"""Brings articles in from files and from Python's own documentation, batch by batch."""
