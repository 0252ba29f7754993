"""What the person at the terminal sees of the stack."""

import io
import os

from config.stack.terminal import Report, SearchableArticles


def test_a_line_stands_behind_the_name_of_its_process() -> None:
    stream = io.StringIO()
    report = Report(stream)
    report.relay("web", "GET /")
    report.relay("postgres", "ready")
    assert stream.getvalue() == "web      │ GET /\npostgres │ ready\n"


def test_a_line_is_neither_wrapped_nor_read_as_markup_nor_coloured_off_a_terminal() -> None:
    stream = io.StringIO()
    line = "[bold]x[/bold] \x1b[31mred\x1b[0m " + "long " * 60
    Report(stream).relay("web", line)
    assert stream.getvalue() == "web      │ [bold]x[/bold] red " + "long " * 60 + "\n"


def test_a_line_of_a_process_cannot_hide_what_it_holds() -> None:
    stream = io.StringIO()
    Report(stream).relay("postgres", "Key (slug)=(a\u202eb\x9b2J\u200b) \texists\x1b[2J")
    assert stream.getvalue() == "postgres │ Key (slug)=(a\\u202eb\\x9b2J\\u200b)    exists\n"


def test_a_reader_that_went_away_silences_the_report_and_nothing_else() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", buffering=1) as stream:
        report = Report(stream)
        os.close(reading)
        for _ in range(3):
            report.say("is anybody there?")
        assert report.quiet


def test_off_a_terminal_each_tenth_of_the_corpus_is_shown_once() -> None:
    stream = io.StringIO()
    with SearchableArticles(Report(stream)) as progress:
        for current in range(0, 31):
            progress.show(current, 300)
    assert stream.getvalue() == "stack    │ 30 of 300 articles are searchable\n"
