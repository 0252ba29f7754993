"""Every package that runs Vectorpress is listed with its licence, and each of these goes with ours."""

import importlib.metadata
import re

import pytest

from tests.paths import ROOT

LOCKED = re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements/run.lock").read_text(), re.MULTILINE)
_ROWS = (ROOT / "docs/licences.md").read_text().partition("| --- | --- |\n")[2].splitlines()
LISTED = dict([cell.strip() for cell in row.strip("|").split("|")] for row in _ROWS)
COMPATIBLE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "LGPL-3.0-only", "LGPL-3.0-or-later"),
    *("MIT", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"),
}
ONLY_ON_WINDOWS = {"tzdata"}
WORDS = {"Apache": "Apache", "BSD": "BSD", "LGPL": "Lesser General", "MIT": "MIT", "MPL": "MPL"}


def test_the_list_names_what_is_locked_and_nothing_else() -> None:
    assert LISTED.keys() == set(LOCKED)


@pytest.mark.parametrize("package", LOCKED)
def test_a_package_has_a_licence_that_goes_with_ours(package: str) -> None:
    assert {word for word in re.split(r"[()\s]+|AND|OR", LISTED[package]) if word} <= COMPATIBLE


@pytest.mark.parametrize("package", sorted(set(LOCKED) - ONLY_ON_WINDOWS))
def test_a_package_says_itself_what_the_list_says(package: str) -> None:
    """As an SPDX expression, or in older words, or in its licence file alone."""
    said = importlib.metadata.metadata(package)
    if said.get("License-Expression"):
        assert LISTED[package] == said.get("License-Expression")
        return
    classifiers = [line for line in said.get_all("Classifier") or [] if line.startswith("License")]
    words = " ".join([said.get("License") or "", *classifiers]).strip() or licence_file(package)
    assert WORDS[LISTED[package].partition("-")[0].partition(" ")[0]] in words


def licence_file(package: str) -> str:
    [name] = importlib.metadata.metadata(package).get_all("License-File") or []
    files = importlib.metadata.files(package) or []
    return next(file.read_text() for file in files if file.name == name)
