"""A backup cannot be made or restored; a sentence for the person at the terminal."""


class BackupError(Exception):
    """Nothing was changed, unless stated."""


def printable(said: str) -> str:
    """A message of a program or server on one short line: an archive may choose its words, and a terminal obeys some
    characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in said).split())[:400]
