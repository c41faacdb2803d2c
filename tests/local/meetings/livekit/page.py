"""The built page: our few routes around LiveKit's own React components, from pinned npm packages."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.local.machine.cache import cached
from tests.local.machine.execute import narrated

SOURCES = Path(__file__).parent / "page"
_BUILT_FROM = (".npmrc", "package.json", "package-lock.json", "vite.config.js", "index.html", "src")


def built() -> Path:
    """The folder with `index.html` and `assets/`; built at the first call (about 15 s, most of it npm)."""
    inputs = [SOURCES / name for name in _BUILT_FROM]

    def build(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        for source in inputs:
            if source.is_dir():
                shutil.copytree(source, work / source.name)
            else:
                shutil.copy2(source, work / source.name)
        narrated("npm", "ci", "--no-progress", "--loglevel=error", log="npm-page", folder=work)
        narrated("npm", "run", "build", "--silent", log="vite-page", folder=work)
        (work / "dist").rename(folder / "page")
        shutil.rmtree(work)

    return cached("meeting-page", inputs, build) / "page"
