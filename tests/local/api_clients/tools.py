"""What generates and carries the clients: a Python environment of its own and npm packages, each locked with hashes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.local.machine import npm
from tests.local.machine.cache import cached
from tests.local.machine.execute import narrated

HERE = Path(__file__).parent


def python() -> Path:
    """The interpreter that has openapi-python-client and what its clients need; made at the first call (about 5 s)."""
    lock = HERE / "python" / "requirements.lock"

    def build(folder: Path) -> None:
        uv = Path(sys.executable).with_name("uv")
        narrated(uv, "venv", "--relocatable", "--python", sys.executable, folder / "venv", log="uv-python-client")
        interpreter = folder / "venv" / "bin" / "python"
        packages = ("--require-hashes", "--requirement", lock)
        narrated(uv, "pip", "install", "--python", interpreter, *packages, log="uv-python-client")

    return cached("python-client", [lock, sys.version], build) / "venv" / "bin" / "python"


def typescript() -> Path:
    """The `node_modules` with openapi-typescript, openapi-fetch and tsc; fetched at the first call (about 5 s)."""
    inputs = [HERE / "typescript" / name for name in (".npmrc", "package.json", "package-lock.json")]

    def take(work: Path, folder: Path) -> None:
        shutil.move(work / "node_modules", folder / "node_modules")

    made = npm.built("typescript-client", inputs, take, log="npm-typescript-client", scripts=False)
    return made / "node_modules"
