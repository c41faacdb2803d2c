"""The controls of the pages: Fluent UI v9, from pinned npm packages, built once per machine and never committed."""

from __future__ import annotations

from pathlib import Path

from tests.local.machine import npm
from tests.local.machine.execute import narrated

_HERE = Path(__file__).parent
_BUILT_FROM = (".npmrc", "package.json", "package-lock.json", "controls.js")


def bundle() -> Path:
    """One ES module with the controls; built at the first call (about 20 s, most of it npm)."""
    inputs = [_HERE / name for name in _BUILT_FROM]
    return npm.built("pack-teams-controls", inputs, _build, log="npm-teams-controls") / "bundle.js"


def _build(work: Path, folder: Path) -> None:
    narrated("npm", "run", "build", "--silent", log="esbuild-teams-controls", folder=work)
    (work / "dist" / "bundle.js").rename(folder / "bundle.js")
