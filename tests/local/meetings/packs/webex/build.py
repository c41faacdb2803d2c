"""The web components that Webex's client is made of, as one script, from a pinned npm package."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.local.machine.cache import cached
from tests.local.machine.execute import narrated

_FOLDER = Path(__file__).parent
_BUILT_FROM = (".npmrc", "package.json", "package-lock.json")


def bundle() -> Path:
    """The script that registers every `mdc-*` element; fetched at the first call (about 10 s)."""
    inputs = [_FOLDER / name for name in _BUILT_FROM]

    def build(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        for source in inputs:
            shutil.copy2(source, work / source.name)
        narrated("npm", "ci", "--ignore-scripts", "--no-progress", "--loglevel=error", log="npm-webex", folder=work)
        # The package ships a build for browsers, all in one.
        shutil.copy2(work / "node_modules/@momentum-design/components/dist/browser/index.js", folder / "bundle.js")
        shutil.rmtree(work)

    return cached("webex-components", inputs, build) / "bundle.js"
