"""The other end of command_shell.py: reads an order a line, carries it out in this process, and answers with a line."""

import io
import json
import os
import sys
from typing import Any

from django.core.management import CommandError, call_command

from tests.factories import Api

SAVE = "save"  # any other order is the words of a management command


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is logged is no answer
    for line in sys.stdin:
        order = json.loads(line)
        answers.write(json.dumps(_saved() if order == SAVE else _done(order)) + "\n")
        answers.flush()


def _done(words: list[str]) -> dict[str, Any]:
    out = io.StringIO()
    try:
        call_command(*words, stdout=out)
    except CommandError as error:
        return {"code": error.returncode, "out": out.getvalue(), "error": str(error)}
    except SystemExit as ended:
        return {"code": ended.code, "out": out.getvalue(), "error": ""}
    return {"code": 0, "out": out.getvalue(), "error": ""}


def _saved() -> list[Any]:
    response = Api().post("/articles", {"title": "A title", "content": "Some content."})
    state = json.loads(response.content).get("embedding", {}).get("state", "")
    return [response.status_code, state]
