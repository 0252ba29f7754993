"""The verbs of `manage.py embed_migrate`, a verb per file."""

from queueops.cli.verbs.backfill.analyze import analyze
from queueops.cli.verbs.backfill.options import family
from queueops.cli.verbs.backfill.rollback import roll_back
from queueops.cli.verbs.backfill.run import migrate

__all__ = ["analyze", "family", "migrate", "roll_back"]
