"""kstatus as a program, built from its pinned Go module."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.local.machine import go
from tests.local.machine.cache import cached
from tests.local.machine.execute import output

_MODULE = Path(__file__).parent / "command"
_SELDOM_RUN = ("all",)
"""Its speed does not matter, the compiler's does."""


def program() -> Path:
    """The program; built at the first call (half a minute on two cores)."""

    def build(folder: Path) -> None:
        go.build(folder / "kstatus", ".", module=_MODULE, seldom_run=_SELDOM_RUN)

    sources = [_MODULE / name for name in ("go.mod", "go.sum", "main.go")]
    return cached("kstatus", [*sources, *_SELDOM_RUN, *go.SETTINGS, platform.machine()], build) / "kstatus"


def compute(objects: Iterable[dict[str, Any]]) -> list[str]:
    """The status of each object, in kstatus' words: `InProgress`, `Current`, `Failed`, `Terminating` …"""
    documents = "".join(json.dumps(each) for each in objects)
    return [json.loads(line)["status"] for line in output(program(), stdin=documents).splitlines()]
