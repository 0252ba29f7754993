"""Files that an operator is given: backups with words for a shell, folders with links out of them."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from drills.attack.target import Target

_STRANGER = 54_321  # a user id that nobody has


def hostile_manifests(target: Target) -> list[str]:
    """Every field of a backup's manifest holds a command for psql's shell."""
    target.save("Kept", "what was there before")
    folder, canary = target.data_dir / "given", target.data_dir.parent / "canary"
    made = target.manage("backup", "--to", str(folder))
    if made.returncode:
        raise RuntimeError(made.stderr)
    (archive,) = folder.glob("*.dump")
    manifest = archive.with_name(archive.name + ".json")
    sound = json.loads(manifest.read_text())
    articles = target.sql("SELECT count(*) FROM articles")
    got = []
    for name, poisoned in _poisoned(sound, f"\n\\! touch {canary}\n"):
        manifest.write_text(json.dumps(poisoned))
        done = target.manage("restore", str(archive), "--yes", "--no-backup")
        got += [f"{name}: it was restored"] if done.returncode == 0 else []
        got += [f"{name}: a traceback"] if "Traceback" in done.stderr else []
        got += [f"{name}: the shell ran it"] if canary.exists() else []
        canary.unlink(missing_ok=True)
    got += ["articles are gone"] if target.sql("SELECT count(*) FROM articles") != articles else []
    return got


def _poisoned(sound: dict[str, Any], words: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The manifest with one field after the other spoilt."""
    for name in sound:
        yield name, sound | {name: words}
    for name in ("rows", "migrations"):
        yield f"a key of {name}", sound | {name: {**sound[name], f"articles{words}": 1}}
        yield f"a value of {name}", sound | {name: dict.fromkeys(sound[name], words)}
    check = f"articles) <> 1 THEN NULL; END IF; END $check${words}DO $check$ BEGIN IF (SELECT count(*) FROM articles"
    yield "a statement's end in rows", sound | {"rows": {check: 1}}


def hostile_folders(target: Target) -> list[str]:
    """A folder of Markdown with links to secrets, a pipe that nobody writes to, and a loop."""
    folder = target.data_dir.parent / "given-folder"
    folder.mkdir()
    (folder / "good.md").write_text("# Good\n\nA harmless text.")
    (folder / "token.md").symlink_to(target.data_dir / "auth_token")
    (folder / "secrets").symlink_to(target.data_dir)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.md")
    token = target.token
    try:
        target.manage("import_articles", "--markdown", str(folder), seconds=60)
    except subprocess.TimeoutExpired:
        return ["the import hangs"]
    got = []
    if target.sql("SELECT 1 FROM articles WHERE strpos(content, %s) > 0", token):
        got.append("the secret became an article")
    if not target.sql("SELECT 1 FROM articles WHERE title = 'Good'"):
        got.append("the good file was not imported")
    return got


def readable_exports(target: Target) -> list[str]:
    """Exports are for the person who made them."""
    got = []
    for words in (("export_articles", "--output"), ("queue_admin", "export", "--output")):
        path = target.data_dir.parent / f"{words[0]}.jsonl"
        done = target.manage(*words, str(path))
        if done.returncode or not path.exists():
            raise RuntimeError(done.stderr or f"{words[0]} wrote nothing")
        got += [f"{words[0]}: others may read it"] if path.stat().st_mode & 0o077 else []
        got += _follows_link(target, words, path.with_name("linked.jsonl"))
    return got


def _follows_link(target: Target, words: tuple[str, ...], link: Path) -> list[str]:
    """Whether a link of another user leads it elsewhere; only root can make one."""
    if os.geteuid():
        return []
    victim = link.with_name("victim")
    victim.write_text("precious")
    link.unlink(missing_ok=True)
    link.symlink_to(victim)
    os.lchown(link, _STRANGER, _STRANGER)
    target.manage(*words, str(link))
    return [f"{words[0]}: a stranger's link was followed"] if victim.read_text() != "precious" else []


ATTACKS: dict[str, Callable[[Target], list[str]]] = {
    "a backup whose manifest holds commands": hostile_manifests,
    "a folder with links, pipes and loops": hostile_folders,
    "exports that others could read or redirect": readable_exports,
}
