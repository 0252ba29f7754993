"""Adds up what an import did, for a person and for a script."""

from dataclasses import dataclass, field
from typing import Any

from articles.importing.entries import RefusedEntry
from articles.importing.writer import BatchResult

# A file of a million broken lines must not be held in memory; every refusal is printed when it happens.
_MAX_KEPT = 1_000


@dataclass(slots=True)
class Summary:
    """Counts of an import, and its first refusals."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    refusals: list[RefusedEntry] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return self.created + self.updated + self.unchanged

    def add(self, result: BatchResult) -> None:
        self.created += result.created
        self.updated += result.updated
        self.unchanged += result.unchanged
        self.refused += len(result.refusals)
        self.refusals += result.refusals[: max(0, _MAX_KEPT - len(self.refusals))]

    def as_dict(self) -> dict[str, Any]:
        """Counts, and the first thousand refusals with place and reason."""
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "refusals": [{"place": refusal.place, "reason": refusal.reason} for refusal in self.refusals],
        }

    def __str__(self) -> str:
        counts = f"{self.created:,} created, {self.updated:,} updated, {self.unchanged:,} unchanged"
        return f"{counts}, {self.refused:,} refused"
