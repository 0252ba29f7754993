"""What `manage.py embed_check` asks of an installation, a subject a file; each answers findings and changes nothing."""

from queueops.operate.checks.finding import CheckResult, Finding

__all__ = ["CheckResult", "Finding"]
