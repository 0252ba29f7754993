"""Texts that are written to be slow, to be lost, or to become markup."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from drills.attack.target import Target, await_true

_SECONDS_FOR_A_PAGE = 5.0
_READERS = 4
HOSTILE = {
    "blanks in a heading": "# a" + " " * 18_000 + "b",
    "line breaks": "zebraquux" + "\n" * 12_000 + "b",
    "marks of lists": "* " * 50_000,
    "marks of code": "`" * 100_000,
    "marks of headings": "#" * 100_000,
}


def slow_pages(target: Target) -> list[str]:
    """Articles whose page or whose hit would be slow to make."""
    got = []
    for name, content in HOSTILE.items():
        slug = target.save(f"Hostile {name}", content)
        with ThreadPoolExecutor(_READERS) as readers:
            pages = [readers.submit(_seconds_of, target, f"/articles/{slug}") for _ in range(_READERS)]
            got += target.slow_health(5)
        slowest = max(page.result() for page in pages)
        got += [f"{name}: a page took {slowest:.1f} s"] if slowest > _SECONDS_FOR_A_PAGE else []
    for mode in ("keyword", "semantic", "hybrid"):
        seconds = _seconds_of(target, f"/search?q=zebraquux&mode={mode}")
        got += [f"search by {mode} took {seconds:.1f} s"] if seconds > _SECONDS_FOR_A_PAGE else []
    return got


def _seconds_of(target: Target, path: str) -> float:
    began = time.monotonic()
    with target.client() as client:
        status = client.get(path, timeout=60).status_code
    return time.monotonic() - began if status == 200 else 60.0 + status


def lost_texts(target: Target) -> list[str]:
    """Texts that no model reads in one piece must be embedded all the same."""
    got = []
    for name, gap in {"line breaks": "\n", "blanks": " ", "tabs": "\t", "zero-width": "\u200b"}.items():
        slug = target.save(f"Long {name}", f"zebraquux{gap * 300_000}end")
        state = _state_at_rest(target, slug)
        got += [f"300,000 {name}: its embedding is {state}"] if state != "embedded" else []
    return got


def _state_at_rest(target: Target, slug: str) -> str:
    found: list[str] = [""]

    def rests() -> bool:
        with target.api() as api:
            found[0] = str(api.get(f"/api/articles/{slug}").json()["embedding"]["state"])
        return found[0] not in ("pending", "processing")

    await_true(rests, f"{slug} to come to rest", 120.0)
    return found[0]


def markup(target: Target) -> list[str]:
    """Markup and hidden characters in titles and texts."""
    canary = "<script>canary()</script><img src=x onerror=canary()>"
    slug = target.save(
        f"Markup {canary}", f"# {canary}\n\n- {canary}\n\n`{canary}` [x](javascript:canary()) {canary}"
    )
    got = []
    with target.signed_in() as client:
        for path in (f"/articles/{slug}", "/search?q=markup&mode=keyword", "/", "/admin/articles/article/"):
            page = client.get(path)
            got += (
                [f"{path} has it as markup"]
                if "<script>canary" in page.text or "<img src=x" in page.text
                else []
            )
            got += [f"{path} has a link that runs it"] if 'href="javascript:' in page.text else []
            got += [f"{path} has no policy"] if "Content-Security-Policy" not in page.headers else []
    return got


ATTACKS: dict[str, Callable[[Target], list[str]]] = {
    "texts that are slow to take apart": slow_pages,
    "texts that a model could refuse": lost_texts,
    "markup in titles and texts": markup,
}
