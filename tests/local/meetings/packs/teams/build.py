"""The controls of the pages: Fluent UI v9, from pinned npm packages, built once per machine and never committed."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.local.machine.cache import cached
from tests.local.machine.execute import narrated

_HERE = Path(__file__).parent
_BUILT_FROM = (".npmrc", "package.json", "package-lock.json", "controls.js")


def bundle() -> Path:
    """One ES module with the controls; built at the first call (about 20 s, most of it npm)."""
    inputs = [_HERE / name for name in _BUILT_FROM]

    def build(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        for source in inputs:
            shutil.copy2(source, work / source.name)
        narrated("npm", "ci", "--no-progress", "--loglevel=error", log="npm-teams-controls", folder=work)
        narrated("npm", "run", "build", "--silent", log="esbuild-teams-controls", folder=work)
        (work / "dist" / "bundle.js").rename(folder / "bundle.js")
        shutil.rmtree(work)

    return cached("pack-teams-controls", inputs, build) / "bundle.js"
