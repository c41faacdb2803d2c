"""The built page: our few routes around LiveKit's own React components, from pinned npm packages.

What happens if this process dies here? The build happens aside in the cache and counts only once it is complete.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.machine.cache import cached

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
        subprocess.run(["npm", "ci", "--no-progress", "--loglevel=error"], cwd=work, check=True)
        subprocess.run(["npm", "run", "build", "--silent"], cwd=work, check=True)
        (work / "dist").rename(folder / "page")
        shutil.rmtree(work)

    return cached("meeting-page", inputs, build) / "page"
