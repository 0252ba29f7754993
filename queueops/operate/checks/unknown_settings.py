"""Variables that look like settings, and that nothing reads: misspelt names, and names of other programs. Pure."""

import difflib
from collections.abc import Collection, Iterator

from queueops.operate.checks.finding import Finding, warn

# Other programs tell development from production by one of these; here an installation has data and servers of its own.
STAGES = {
    "APP_ENV",
    "BUN_ENV",
    "DEPLOY_ENV",
    "DJANGO_ENV",
    "ENVIRONMENT",
    "FLASK_ENV",
    "NODE_ENV",
    "PYTHON_ENV",
    "RACK_ENV",
    "RAILS_ENV",
}
_OUR_STEMS = ("EMBEDDING", "OPENAI", "OLLAMA", "SEMANTIC")
_ALIKE = 0.6  # of a name that begins like ours
_NEARLY_THE_SAME = 0.85  # of any other name in the environment, which holds those of every program
_SHARED = {"SSL_CERT_FILE"}  # OpenSSL's: other programs have names like it
_SHORTEST = 6  # shorter names are alike by chance


def unknown(environment: Collection[str], known: Collection[str]) -> Iterator[Finding]:
    """A finding for each such name of the environment."""
    for name in sorted(set(environment) - set(known)):
        if name in STAGES or _looks_like_ours(name, known):
            yield _finding(name, "is set, but nothing reads it", known, "remove it")


def unknown_in_file(names: Collection[str], file: str, known: Collection[str]) -> Iterator[Finding]:
    """A finding for every unknown name in the file of settings, which is only ours."""
    for name in sorted(set(names) - set(known)):
        yield _finding(name, f"is set in {file}, but nothing reads it", known, f"remove it from {file}")


def _looks_like_ours(name: str, known: Collection[str]) -> bool:
    stem = name.upper().partition("_")[0]
    if stem in _OUR_STEMS or difflib.get_close_matches(stem, _OUR_STEMS, 1, _NEARLY_THE_SAME):
        return True
    long = [each for each in known if len(each) >= _SHORTEST and each not in _SHARED]
    return len(name) >= _SHORTEST and bool(difflib.get_close_matches(name.upper(), long, 1, _NEARLY_THE_SAME))


def _finding(name: str, says: str, known: Collection[str], otherwise: str) -> Finding:
    if name in STAGES:
        fix = f"A second installation, for tests, has its own DATA_DIR, DATABASE_URL and REDIS_URL; {otherwise}."
        return warn(f"setting {name}", f"{says}: there is one kind of installation", fix)
    near = difflib.get_close_matches(name.upper(), known, 1, _ALIKE)
    meant = f"rename it to {near[0]}, if that was meant" if near else otherwise
    return warn(f"setting {name}", says, f"Check its name: {meant}.")
