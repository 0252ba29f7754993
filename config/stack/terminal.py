"""Output at the terminal: every process' lines behind its name, each name in its colour."""

import os
import sys
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from lib.visible_text import visible

COLOURS = {
    "stack": "bold",
    "web": "green",
    "workers": "cyan",
    "embedder": "magenta",
    "postgres": "blue",
    "valkey": "red",
    "import": "yellow",
}
NAME_WIDTH = 8


class Report(Console):
    """A console that becomes silent, instead of stopping the stack, when its reader is gone.

    rich omits colours if the output is not a terminal or NO_COLOR is set, and keeps a live progress bar
    below the lines that several threads print.
    """

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        super().__init__(file=stream, highlight=False, markup=False, soft_wrap=True)

    def relay(self, name: str, text: str) -> None:
        """One line of a process."""
        prefix = (f"{name:<{NAME_WIDTH}} │ ", COLOURS.get(name, "yellow"))
        try:
            self.print(Text.assemble(prefix, _line(text)))
        except OSError:  # the terminal is gone
            self.quiet = True

    def say(self, text: str) -> None:
        """A word of the stack itself."""
        for line in text.splitlines():
            self.relay("stack", line)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())


def _line(text: str) -> Text:
    """A line with its colours; of one that hides something, what it hides is written out in their place."""
    coloured = Text.from_ansi(text)
    shown = visible(coloured.plain.expandtabs())
    return coloured if shown == coloured.plain else Text(shown)


class SearchableArticles:
    """Progress of the first corpus: a bar on a terminal, elsewhere a line per tenth."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._tenths = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=report,
            disable=not report.is_terminal,
            transient=True,
        )
        self._row = self._bar.add_task("searchable articles", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, current: int, articles: int) -> None:
        """Shows that `current` of all `articles` can be found."""
        self._bar.update(self._row, total=articles or None, completed=current)
        tenths = 10 * current // max(1, articles)
        if not self._report.is_terminal and tenths > self._tenths:
            self._tenths = tenths
            self._report.say(f"{current} of {articles} articles are searchable")
