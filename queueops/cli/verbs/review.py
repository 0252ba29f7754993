"""The verb `review_flag`: marks the articles of a time window for review, removes the marks, or restores their text."""

import uuid
from argparse import ArgumentTypeError
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import line
from queueops.cli.frame.task_options import age
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.models.audit import needed_reason
from queueops.operate.article_review import MARK, Done, Review, Window

family = VerbGroup("Review")

_CHOICES = {
    "flag": "mark for review",
    "restore": "restore the earlier text of",
    "clear": "remove the mark from",
}
_FORMS = "use a date with a time, e.g. 2026-01-31T12:00 (UTC), or an age, e.g. 2h"


def when(text: str) -> datetime | timedelta:
    """The type of an option that is a time: a date with a time (UTC without a zone), or an age."""
    try:
        found = parse_datetime(text)
    except ValueError as error:
        raise ArgumentTypeError(f"invalid time {text!r} ({error}): {_FORMS}") from error
    if found is None:
        try:
            return age(text)
        except ArgumentTypeError as error:
            raise ArgumentTypeError(f"invalid time {text!r}: {_FORMS}") from error
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def _arguments(parser: Options) -> None:
    parser.add_argument(
        "--since",
        type=when,
        required=True,
        metavar="TIME",
        help="start of the time window: 2h (ago) or 2026-01-31T12:00 (UTC)",
    )
    parser.add_argument(
        "--until",
        type=when,
        default=timedelta(),
        metavar="TIME",
        help="end of the time window (default: now)",
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
    what.add_argument("--clear", dest="what", action="store_const", const="clear", help="remove the marks")
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "review_flag",
    f"mark the articles of a time window with {MARK} in their metadata",
    arguments=_arguments,
    keys=("action", "dry_run", "since", "until", "operation", *Done.__dataclass_fields__),
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
    fields = {"action": what, "dry_run": dry_run, **vars(window), "operation": None}
    count = f"{window.count_restorable():,} of {total:,}" if what == "restore" else f"{total:,}"
    change = (
        f"{_CHOICES[what]} {count} articles that a worker processed or whose text changed "
        f"from {window.since:%Y-%m-%d %H:%M:%S} to {window.until:%Y-%m-%d %H:%M:%S} UTC"
    )
    if not dry_run:
        reason = needed_reason(reason)
    if not console.agree(change, yes=yes, dry_run=dry_run):
        console.print_result(fields | vars(Done(articles=total)))
        return Exit.OK
    review = Review(console.actor, reason, uuid.uuid4())
    batches = {"flag": review.flag, "restore": review.restore, "clear": review.unflag}[what](window)
    done = Done()
    with console.progress("Reviewing", total) as steps:
        for batch in batches:
            done += batch
            steps.advance(batch.articles)
    console.print_result(
        fields | vars(done) | {"operation": review.operation}, *map(line, _summary(done, review.operation))
    )
    return Exit.PARTLY if done.without_earlier or done.changed_since else Exit.OK


def _summary(done: Done, operation: uuid.UUID) -> list[str]:
    lines = [f"{done.changed:,} of {done.articles:,} articles changed (operation {operation})."]
    if done.without_earlier:
        lines.append(f"{done.without_earlier:,} skipped: created in the window, so there is no earlier text.")
    if done.changed_since:
        lines.append(f"{done.changed_since:,} skipped: changed after the window.")
    return lines


def _window(since: datetime | timedelta, until: datetime | timedelta) -> Window:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    window = Window(*(now - each if isinstance(each, timedelta) else each for each in (since, until)))
    if window.since >= window.until:
        raise Refused("the time window ends before it starts: give an earlier --since or a later --until")
    return window
