"""Brings an existing corpus into the queue: what it would take, the run itself, vectors that exist already, and the
way back. Not to be confused with migrations/, which are Django's and change tables."""
