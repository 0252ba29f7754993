"""The operator's command line: the verbs of `manage.py queue_admin`, one family a file.

A verb is one function and, where it takes options, one `add_arguments`:

    family = Family("Looking")

    def _recent_arguments(parser: ArgumentParser) -> None:
        arguments.add_limit(parser, 20)

    @family.verb("recent", "the tasks that ended last", arguments=_recent_arguments, keys=("tasks",))
    def recent(console: Desk, *, limit: int) -> Exit | None:
        rows = …
        console.answer({"tasks": rows}, table(…))

Its own options reach it as keywords; `--json` and `--actor` are the console's. A family is called once it stands in
queueops/management/commands/queue_admin.py, and its verbs have a section in docs/commands.md.
"""
