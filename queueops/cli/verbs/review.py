"""The verb `review_flag`: marks the articles of a window for review, takes the marks away, or restores their text."""

import uuid
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import line
from queueops.cli.frame.task_options import age
from queueops.cli.frame.verb import VerbGroup
from queueops.models.audit import needed_reason
from queueops.operate.article_review import MARK, Done, Review, Window

family = VerbGroup("Reviewing")

_CHOICES = {"flag": "mark for review", "restore": "restore the former text of", "clear": "take the mark from"}
_FORMS = "give a date with a time, for instance 2026-01-31T12:00 (UTC), or how long ago, for instance 2h"


def when(text: str) -> datetime | timedelta:
    """The type of an option that is a time: a date with a time (UTC unless it says otherwise), or how long ago."""
    try:
        found = parse_datetime(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time ({error}): {_FORMS}") from error
    if found is None:
        try:
            return age(text)
        except ArgumentTypeError as error:
            raise ArgumentTypeError(f"{text!r} is no time: {_FORMS}") from error
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--since",
        type=when,
        required=True,
        metavar="TIME",
        help="2h, or 2026-01-31T12:00 (UTC): the window's begin",
    )
    parser.add_argument(
        "--until", type=when, default=timedelta(), metavar="TIME", help="its end (default: now)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--restore",
        dest="what",
        action="store_const",
        const="restore",
        default="flag",
        help="make the text from before the window the newest version",
    )
    what.add_argument("--clear", dest="what", action="store_const", const="clear", help="take the marks away")
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "review_flag",
    f"marks the articles of a window of time with {MARK} in their metadata",
    arguments=_arguments,
    keys=("act", "dry_run", "since", "until", "operation", *Done.__dataclass_fields__),
)
def review_flag(
    console: Console,
    *,
    since: datetime | timedelta,
    until: datetime | timedelta,
    what: str,
    yes: bool,
    dry_run: bool,
    reason: str,
) -> Exit:
    window = _window(since, until)
    total = window.count()
    fields = {"act": what, "dry_run": dry_run, **vars(window), "operation": None}
    count = f"{window.count_restorable():,} of {total:,}" if what == "restore" else f"{total:,}"
    deed = (
        f"{_CHOICES[what]} {count} articles that a worker worked on, or whose text changed, "
        f"from {window.since:%Y-%m-%d %H:%M:%S} to {window.until:%Y-%m-%d %H:%M:%S} UTC"
    )
    if not dry_run:
        reason = needed_reason(reason)
    if not console.agree(deed, yes=yes, dry_run=dry_run):
        console.answer(fields | vars(Done(articles=total)))
        return Exit.OK
    review = Review(console.actor, reason, uuid.uuid4())
    batches = {"flag": review.flag, "restore": review.restore, "clear": review.unflag}[what](window)
    done = Done()
    with console.progress("Reviewing", total) as steps:
        for batch in batches:
            done += batch
            steps.advance(batch.articles)
    console.answer(
        fields | vars(done) | {"operation": review.operation}, *map(line, _said(done, review.operation))
    )
    return Exit.PARTLY if done.without_earlier or done.changed_since else Exit.OK


def _said(done: Done, operation: uuid.UUID) -> list[str]:
    lines = [f"{done.changed:,} of {done.articles:,} articles changed (operation {operation})."]
    if done.without_earlier:
        lines.append(f"{done.without_earlier:,} were made in the window and have no earlier text.")
    if done.changed_since:
        lines.append(f"{done.changed_since:,} were changed after the window and keep that text.")
    return lines


def _window(since: datetime | timedelta, until: datetime | timedelta) -> Window:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    window = Window(*(now - each if isinstance(each, timedelta) else each for each in (since, until)))
    if window.since >= window.until:
        raise Refused("the window ends before it begins: give an earlier --since or a later --until")
    return window
