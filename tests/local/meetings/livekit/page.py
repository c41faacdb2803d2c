"""The built page: our few routes around LiveKit's own React components, from pinned npm packages."""

from __future__ import annotations

from pathlib import Path

from tests.local.machine import npm
from tests.local.machine.execute import narrated

SOURCES = Path(__file__).parent / "page"
_BUILT_FROM = (".npmrc", "package.json", "package-lock.json", "vite.config.js", "index.html", "src")


def built() -> Path:
    """The folder with `index.html` and `assets/`; built at the first call (about 15 s, most of it npm)."""
    inputs = [SOURCES / name for name in _BUILT_FROM]
    return npm.built("meeting-page", inputs, _build, log="npm-page") / "page"


def _build(work: Path, folder: Path) -> None:
    narrated("npm", "run", "build", "--silent", log="vite-page", folder=work)
    (work / "dist").rename(folder / "page")
