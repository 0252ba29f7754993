"""The operator's command line: the verbs of `manage.py queue_admin`, one group per file.

A verb is one function and, if it takes options, one function that adds them:

    family = VerbGroup("Lists")

    def _recent_arguments(parser: Options) -> None:
        arguments.add_limit(parser, 20)

    @family.verb("recent", "tasks that ended last", arguments=_recent_arguments, keys=("tasks",))
    def recent(console: Console, *, limit: int) -> Exit | None:
        rows = …
        console.print_result({"tasks": rows}, table(…))

Its options are passed as keywords; the console handles `--json` and `--actor`. A group is listed in
queueops/management/commands/queue_admin.py, and its verbs have a section in docs/commands.md.
"""
