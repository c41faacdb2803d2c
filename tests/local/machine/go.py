"""Go commands, built from a module that its go.mod pins and its go.sum checksums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.local.machine.execute import narrated


def build(
    folder: Path,
    packages: Sequence[str],
    *,
    module: Path,
    link_flags: str = "-s -w",
    environment: Mapping[str, str] | None = None,
) -> None:
    """Build `packages` (import paths) into `folder`, showing how many of their packages are compiled.

    Raises `CommandFailedError` when that fails.  What was compiled before stays in Go's own cache.
    """
    # GOTOOLCHAIN=local: the prerequisite was checked; a silent download of another Go is never wanted.
    settings = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", **(environment or {})}
    needed = compiled = 0

    def need(line: str) -> str | None:
        nonlocal needed
        if line.startswith("go: "):
            return line.removeprefix("go: ")  # "downloading …"
        needed += 1
        return None

    def compile(line: str) -> str:  # noqa: A001 -- the word for it
        nonlocal compiled
        compiled += 1
        return f"{compiled} of at most {needed} packages compiled"

    log = f"go-{module.name}"
    narrated("go", "list", "-deps", *packages, log=f"{log}-packages", meaning=need, folder=module, environment=settings)
    # fmt: off
    narrated(
        "go", "build", "-v", "-trimpath", "-ldflags", link_flags, "-o", f"{folder}/", *packages,
        log=log, meaning=compile, folder=module, environment=settings,
    )
    # fmt: on
