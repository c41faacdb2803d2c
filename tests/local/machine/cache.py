"""Things that take long to make are made once per content of their inputs, and shared by every clone.

`${XDG_CACHE_HOME:-~/.cache}/meeting-buddy/<thing>/<hash of its inputs>` is a folder that is complete or absent: it is
made aside and renamed.

If this process dies: the half-made folder beside it is removed by the next build of the same thing; the lock is the
kernel's and dies with us.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.local.machine.lock import exclusive

Input = str | bytes | Path
"""A text or bytes are hashed as they are; a path stands for its content (a folder: every file in it, by name)."""


def root() -> Path:
    """Where caches live; honours `XDG_CACHE_HOME`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "meeting-buddy"


def digest(inputs: Iterable[Input]) -> str:
    """A short content hash (16 hex digits) of texts, files and folders, in the order given."""
    total = hashlib.sha256()
    for item in inputs:
        for part in _parts(item):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return total.hexdigest()[:16]


def place(thing: str, inputs: Iterable[Input]) -> Path:
    """The folder of `thing` for these inputs, whether it is there yet or not."""
    return root() / thing / digest(inputs)


def cached(thing: str, inputs: Iterable[Input], build: Callable[[Path], None]) -> Path:
    """The folder of `thing` for these inputs; when there is none, `build(folder)` fills an empty one first.

    Two processes that want the same thing build it once: the second waits.  What `build` raises passes through, and
    nothing is kept.
    """
    finished = place(thing, inputs)
    if finished.is_dir():
        return finished
    shelf = finished.parent
    shelf.mkdir(parents=True, exist_ok=True)
    with exclusive(shelf / f".{finished.name}.lock", f"the build of {thing}"):
        if finished.is_dir():
            return finished
        aside = shelf / f".{finished.name}.new"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        build(aside)
        aside.rename(finished)
    return finished


def _parts(item: Input) -> Iterable[bytes]:
    if isinstance(item, str):
        yield item.encode()
    elif isinstance(item, bytes):
        yield item
    elif item.is_dir():
        for path in sorted(item.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(item)).encode()
                yield b"x" if os.access(path, os.X_OK) else b"-"
                yield path.read_bytes()
    else:
        yield item.read_bytes()
