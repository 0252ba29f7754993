"""`manage.py filter_indexes`: brings the indexes of SEARCH_FILTERS up to date while people write and search."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from articles.filters import indexes
from articles.filters.fields import Field


class Command(BaseCommand):
    help = (
        "Builds the indexes of the metadata fields that SEARCH_FILTERS declares, and removes those of fields that it "
        "no longer does, while people write and search. `migrate` and the start of a stack do the same."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, **options: Any) -> None:
        built, removed = _found() if options["dry_run"] else _done()
        if options["json"]:
            names = {
                "dry_run": options["dry_run"],
                "built": [field.name for field in built],
                "removed": removed,
            }
            self.stdout.write(json.dumps(names))
            return
        would = "would be " if options["dry_run"] else ""
        for field in built:
            self.stdout.write(f"{field}: index {field.index_name} {would}built")
        for name in removed:
            self.stdout.write(f"index {name} {would}removed")
        if not built and not removed:
            declared = ", ".join(map(str, settings.SEARCH_FILTERS)) or "none"
            self.stdout.write(f"nothing to do; fields in SEARCH_FILTERS, each with its index: {declared}")


def _found() -> tuple[list[Field], list[str]]:
    found = indexes.difference()
    return found.missing, found.unwanted


def _done() -> tuple[list[Field], list[str]]:
    done = indexes.sync()
    if done.is_busy:
        raise CommandError("another process is building these indexes; run it again when that one is done")
    return list(done.built), list(done.removed)
