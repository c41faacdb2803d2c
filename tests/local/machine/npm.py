"""Pages and scripts made of pinned npm packages, each built once per machine and never committed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.local.machine.cache import cached
from tests.local.machine.execute import narrated


def built(
    name: str, inputs: Sequence[Path], take: Callable[[Path, Path], None], *, log: str, scripts: bool = True
) -> Path:
    """The cache's folder `name`, made from `inputs` (files and folders, `package-lock.json` among them).

    After the packages were installed, `take` is given the folder with inputs and packages, and the one to fill.
    `scripts`: whether packages may run their own on being installed.
    """

    def build(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        for source in inputs:
            if source.is_dir():
                shutil.copytree(source, work / source.name)
            else:
                shutil.copy2(source, work / source.name)
        options = () if scripts else ("--ignore-scripts",)
        narrated("npm", "ci", *options, "--no-progress", "--loglevel=error", log=log, folder=work)
        take(work, folder)
        shutil.rmtree(work)

    return cached(name, list(inputs), build)
