"""What the person at the terminal sees: every process' lines behind its name, each name in its colour."""

import os
import sys
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

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
    """A console that goes quiet, rather than stops the stack, when nobody reads it any more.

    rich leaves colours out where the output is no terminal or NO_COLOR is set, and keeps a live progress bar
    below the lines that several threads print.
    """

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        super().__init__(file=stream, highlight=False, markup=False, soft_wrap=True)

    def relay(self, name: str, text: str) -> None:
        """One line of a process."""
        prefix = Text(f"{name:<{NAME_WIDTH}} │ ", style=COLOURS.get(name, "yellow"))
        self.print(prefix + Text.from_ansi(text))

    def say(self, text: str) -> None:
        """A word of the stack itself."""
        for line in text.splitlines():
            self.relay("stack", line)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())


def progress_bar(report: Report) -> Progress:
    """A bar with count and remaining time; it only shows on a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=report,
        disable=not report.is_terminal,
        transient=True,
    )
