"""Where the checkout lies, for tests that run its programs and read its documents."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
