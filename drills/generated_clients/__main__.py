"""Generates clients with openapi-python-client and openapi-typescript, has them create and search, and lints the
document with Spectral. It installs the generators from PyPI and npm into a temporary folder."""

import argparse
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.tools.report import print_progress
from benchmarks.tools.stack import TOKEN, own_stack
from drills.generated_clients.programs import PYTHON, RULES, TYPESCRIPT

_PYTHON_GENERATOR = "openapi-python-client==0.29.1"
_NODE_PACKAGES = (
    "openapi-typescript@7.13.0",
    "openapi-fetch@0.17.0",
    "typescript@5.9",
    "@types/node@20",
    "@stoplight/spectral-cli@6.16.3",
)
_TSC = (
    "--strict",
    "--target",
    "es2022",
    "--module",
    "nodenext",
    "--moduleResolution",
    "nodenext",
    "--skipLibCheck",
)
_KNOWN_WARNING = "application/jsonl"  # the export: no generator reads lines of JSON

type Step = tuple[str, Callable[[], None]]


class StepError(Exception):
    """A step went wrong; its output."""


class Run:
    """The steps, in a folder with the document."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.document = folder / "openapi.json"
        with urllib.request.urlopen(f"{url}/api/openapi.json") as reply:
            self.document.write_bytes(reply.read())

    def steps(self) -> Iterator[Step]:
        """Their names and what they do, in order."""
        yield "openapi-python-client generates a client", self.generate_python
        yield "it creates, replaces, changes and finds", self.use_python
        if shutil.which("npm") is None:
            print_progress("npm is not installed: neither TypeScript nor Spectral is tried")
            return
        yield "openapi-typescript generates types", self.generate_typescript
        yield "tsc --strict accepts a client with them", self.compile_typescript
        yield "it creates, replaces, changes and finds, too", self.use_typescript
        yield "Spectral finds nothing", self.lint

    def generate_python(self) -> None:
        self._call(sys.executable, "-m", "venv", "python")
        self._call(self._python, "-m", "pip", "install", "--quiet", _PYTHON_GENERATOR)
        out = self._call(
            "python/bin/openapi-python-client", "generate", "--path", self.document, "--meta", "none",
            "--output-path", "vectorpress_client",
        )  # fmt: skip
        if out.count("WARNING") > out.count(_KNOWN_WARNING):
            raise StepError(out)

    def use_python(self) -> None:
        self._program("use.py", PYTHON)
        self._call(self._python, "use.py", self.url, TOKEN)

    def generate_typescript(self) -> None:
        self._program("package.json", '{"private": true}')
        self._call(
            "npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", *_NODE_PACKAGES
        )
        self._call("node_modules/.bin/openapi-typescript", self.document, "-o", "api.d.ts")

    def compile_typescript(self) -> None:
        self._program("use.ts", TYPESCRIPT)
        self._call("node_modules/.bin/tsc", *_TSC, "use.ts")

    def use_typescript(self) -> None:
        self._call("node", "use.js", self.url, TOKEN)

    def lint(self) -> None:
        self._program(".spectral.yaml", RULES)
        self._call("node_modules/.bin/spectral", "lint", "--fail-severity", "hint", self.document)

    @property
    def _python(self) -> Path:
        return self.folder / "python/bin/python"

    def _program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def _call(self, *command: str | Path) -> str:
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StepError(f"{words[0]} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr


def main() -> int:
    """0 if every step went well."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with own_stack() as stack, tempfile.TemporaryDirectory(prefix="vectorpress-clients-") as name:
        stack.web()
        failed = [step for step, act in Run(Path(name), stack.web_url).steps() if not _goes_well(step, act)]
    return 1 if failed else 0


def _goes_well(step: str, act: Callable[[], None]) -> bool:
    try:
        act()
    except StepError as error:
        print(f"failed  {step}\n{error}", flush=True)
        return False
    print(f"ok      {step}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
