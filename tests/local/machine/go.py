"""Go programs, built from a module that its go.mod pins and its go.sum checksums, at little cost.

Compiling is most of what a fresh machine does, so nothing is compiled that nobody needs: no debug information, no C, no
test helpers, and what seldom runs is not optimised. The compiler collects its garbage less often.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.local.machine.execute import narrated

# GOTOOLCHAIN=local: the prerequisite was checked; a silent download of another Go is never wanted.
_ENVIRONMENT = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOGC": "800"}
_COMPILER = "-dwarf=false"
_NOT_OPTIMISED = "-N -l"
SETTINGS = (_COMPILER, _NOT_OPTIMISED)
"""What of this module decides about the programs that it builds, for the names of caches."""


def vendor(module: Path, *, without: Sequence[str]) -> None:
    """Put all that the module needs into its folder `vendor`, but for these files.

    Raises `CommandFailedError`, or `FileNotFoundError` when a file is not there: another version of the module has it
    elsewhere, or no more.
    """
    log = f"go-{module.name}-modules"
    narrated("go", "mod", "vendor", log=log, meaning=_downloading, folder=module, environment=_ENVIRONMENT)
    for file in without:
        (module / "vendor" / file).unlink()


def build(
    program: Path,
    package: str,
    *,
    module: Path,
    link_flags: str = "-s -w",
    seldom_run: Sequence[str] = (),
) -> None:
    """Build the command `package` (an import path) as `program`, showing how many of its packages are compiled.

    Args:
        program: the file to write.
        package: import path of the command.
        module: folder of the Go module.
        link_flags: for the linker.
        seldom_run: packages, as patterns, that need not be optimised.

    Raises:
        CommandFailedError: it cannot be built. What was compiled before stays in Go's own cache.
    """
    vendored = (module / "vendor").is_dir()
    settings = {**_ENVIRONMENT, "GOFLAGS": "-mod=vendor" if vendored else "-mod=readonly"}
    needed = compiled = 0

    def need(line: str) -> str | None:
        nonlocal needed
        downloading = _downloading(line)
        needed += downloading is None
        return downloading

    def compile(line: str) -> str:  # noqa: A001 -- the word for it
        nonlocal compiled
        compiled += 1
        return f"{compiled} of at most {needed} packages compiled"

    log = f"go-{module.name}"
    narrated("go", "list", "-deps", package, log=f"{log}-packages", meaning=need, folder=module, environment=settings)
    flags = [f"-gcflags=all={_COMPILER}", *(f"-gcflags={each}={_COMPILER} {_NOT_OPTIMISED}" for each in seldom_run)]
    # fmt: off
    narrated(
        "go", "build", "-v", "-trimpath", "-ldflags", link_flags, *flags, "-o", program, package,
        log=log, meaning=compile, folder=module, environment=settings,
    )
    # fmt: on


def _downloading(line: str) -> str | None:
    """What go says about a module that it fetches; `None` for any other line."""
    return line.removeprefix("go: ") if line.startswith("go: ") else None
