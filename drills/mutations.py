"""Takes each guard away, one at a time and in a copy of the tree, and checks that a test fails."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.tools.report import machine, print_progress, versions
from drills.guards import MUTATIONS, Mutation
from tests import servers

ROOT = Path(__file__).resolve().parent.parent
_SECONDS_PER_FILE = 300.0
_PASSED, _FAILED = 0, 1  # pytest's exit codes; others mean that it could not run
_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "var")
_FALLEN = re.compile(r"^(FAILED|ERROR) \S*?::(\S+)", re.MULTILINE)
_WORKING = re.compile(r"\d+ passed")


class StaleError(Exception):
    """A mutation does not fit the source any more."""


class UselessError(Exception):
    """Tests that could not run prove nothing."""


@dataclass(frozen=True)
class Found:
    """The result of a guard's removal: the tests that noticed, none if it survived."""

    guard: str
    caught_by: list[str]
    seconds: float

    def as_text(self) -> str:
        return f"{self.guard:<58} {', '.join(self.caught_by) or 'SURVIVED'}"


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    chosen = [each for each in MUTATIONS if any(word in each.guard for word in options.only)]
    if not chosen:
        print(f"No guard has {' or '.join(options.only)} in its name.", file=sys.stderr)
        return 2
    try:
        found = check(chosen)
    except (StaleError, UselessError) as error:
        print(error, file=sys.stderr)
        return 2
    print(_as_json(found) if options.json else "\n".join(each.as_text() for each in found))
    survivors = [each.guard for each in found if not each.caught_by]
    print_progress(f"{len(found)} guards, {len(survivors)} without a test that notices")
    return 1 if survivors else 0


def check(chosen: Sequence[Mutation]) -> list[Found]:
    """Each of these mutations in turn, after a run of their tests without any. Raises StaleError and UselessError."""
    found: list[Found] = []
    with copy_of_the_tree() as tree:
        addresses = own_servers()
        _assert_green(tree, chosen, addresses)
        for mutation in chosen:
            began = time.monotonic()
            with mutated(tree, mutation):
                caught_by = failing_tests(tree, mutation.tests, addresses)
            found.append(Found(mutation.guard, caught_by, round(time.monotonic() - began, 1)))
            print_progress(f"{len(found)}/{len(chosen)} {found[-1].as_text()}")
    return found


@contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """The source as it is now, without what is made from it; the checkout itself is never touched."""
    with tempfile.TemporaryDirectory(prefix="vectorpress-mutants-") as folder:
        yield Path(shutil.copytree(ROOT, Path(folder) / "tree", ignore=_NOT_COPIED))


@contextmanager
def mutated(tree: Path, mutation: Mutation) -> Iterator[None]:
    """The file without its guard as long as this lasts."""
    path = tree / mutation.path
    sound = path.read_text()
    path.write_text(without_guard(sound, mutation))
    try:
        yield
    finally:
        path.write_text(sound)


def without_guard(source: str, mutation: Mutation) -> str:
    """The source with the mutation in it. Raises StaleError unless its place is there exactly once."""
    if (count := source.count(mutation.old)) != 1:
        raise StaleError(
            f"{mutation.path} has the guard {mutation.guard!r} {count} times, not once: drills/guards/ searches for "
            f"{mutation.old!r}. Where the guard is written differently now, write it so there too."
        )
    return source.replace(mutation.old, mutation.new)


def failing_tests(tree: Path, tests: Sequence[str], addresses: Mapping[str, str]) -> list[str]:
    """The names of the tests in these files that fail or leave impossible rows, on servers that run already.
    Raises UselessError."""
    seconds = _SECONDS_PER_FILE * len(tests)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-n", "0", "-q", "--no-header", "--tb=no", "-rfE", *tests],
            cwd=tree,
            # bytecode could outlive the source it was made from
            env={**ours, **addresses, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise UselessError(f"{', '.join(tests)} did not end within {seconds:g} s.") from None
    return failed_in(ended.returncode, ended.stdout + ended.stderr)


def failed_in(code: int, output: str) -> list[str]:
    """The names of the tests that pytest reported as failed. Raises UselessError where it could not run them: a
    mutation that breaks the schema or the syntax shows nothing."""
    fallen = _FALLEN.findall(output)
    ran = any(kind == "FAILED" for kind, _ in fallen) or _WORKING.search(output)
    if code not in (_PASSED, _FAILED) or not ran:
        raise UselessError(f"pytest could not run the tests:\n{output[-2000:]}")
    return sorted({name.partition("[")[0] for _, name in fallen})


def own_servers() -> dict[str, str]:
    """A Postgres and a Valkey until this process ends, as the settings that lead the tests to them."""
    folder = servers.temporary_data_dir()
    return {
        servers.DATABASE_VARIABLE: servers.started_postgres(folder),
        servers.REDIS_VARIABLE: servers.started_valkey(folder),
    }


def _assert_green(tree: Path, chosen: Sequence[Mutation], addresses: Mapping[str, str]) -> None:
    files = sorted({name for mutation in chosen for name in mutation.tests})
    print_progress(f"all guards in place: {len(files)} test files")
    if fallen := failing_tests(tree, files, addresses):
        raise UselessError(f"These fail with every guard in place: {', '.join(fallen)}. Mend them first.")


def _as_json(found: Sequence[Found]) -> str:
    output = {"machine": machine(), "versions": versions(), "guards": [asdict(each) for each in found]}
    return json.dumps({"drill": "mutations", **output}, indent=2)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev drill mutations", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[""], help="guards with one of these in their name")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
