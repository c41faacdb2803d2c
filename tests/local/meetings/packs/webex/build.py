"""The web components that Webex's client is made of, as one script, from a pinned npm package."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.local.machine import npm

_HERE = Path(__file__).parent
_BUILT_FROM = (".npmrc", "package.json", "package-lock.json")


def bundle() -> Path:
    """The script that registers every `mdc-*` element; fetched at the first call (about 10 s)."""
    inputs = [_HERE / name for name in _BUILT_FROM]
    return npm.built("webex-components", inputs, _take, log="npm-webex", scripts=False) / "bundle.js"


def _take(work: Path, folder: Path) -> None:
    # The package ships a build for browsers, all in one.
    shutil.copy2(work / "node_modules/@momentum-design/components/dist/browser/index.js", folder / "bundle.js")
