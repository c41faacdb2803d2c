"""How much larger speech to text makes the bot's image: the model, and the packages that nothing else needs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.local.bench.figures import Figure
from tests.local.clone import REPOSITORY
from tests.local.images import buildah

_ENGINE = "faster-whisper"


def of_transcription(image: str) -> Figure:
    """Sizes of files in an image of the bot's, before its layers are compressed."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    bot = [Requirement(each) for each in (*project["dependencies"], *project["optional-dependencies"]["bot"])]
    others = _needed(each.name for each in bot if canonicalize_name(each.name) != _ENGINE)
    names = _needed([_ENGINE]) - others
    with buildah.mounted(image) as root:
        installed = distributions(path=[str(each) for each in root.glob("opt/venv/lib/python3.*/site-packages")])
        packages = sum(_size(each) for each in installed if canonicalize_name(each.name) in names)
        model = sum(path.stat().st_size for path in (root / "models/whisper").iterdir())
    found = f"{(packages + model) / 1e6:.0f} MB"
    return Figure("bot's image: larger by transcription", found, f"of it the model {model / 1e6:.0f} MB", "≤ 550 MB")


def _needed(names: Iterable[str]) -> set[str]:
    """These packages and all that they need, as far as it is installed."""
    found: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for each in map(Requirement, distribution(name).requires or ()):
            if each.marker is None or each.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(each.name))
    return found


def _size(package: Distribution) -> int:
    files = (Path(str(file.locate())) for file in package.files or ())
    return sum(path.stat().st_size for path in files if path.is_file())
