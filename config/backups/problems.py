"""Why a backup cannot be made or restored: a sentence for the person at the terminal."""


class BackupError(Exception):
    """Nothing was changed, unless the sentence says so."""
