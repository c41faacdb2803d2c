"""Which images there are, and what goes into each: read from their Dockerfiles, so that nothing is listed twice."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.local.clone import REPOSITORY
from tests.local.machine.cache import digest


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its short name, its Dockerfile relative to `context`, and the context: the repository's root."""

    name: str
    dockerfile: str
    context: Path = REPOSITORY

    @property
    def path(self) -> Path:
        """The Dockerfile."""
        return self.context / self.dockerfile

    @property
    def repository(self) -> str:
        """Its name in a registry."""
        return f"meeting-buddy/{self.name}"

    def inputs(self) -> list[Path]:
        """Every file that a COPY of the Dockerfile takes from the context, and the Dockerfile itself."""
        found = [self.path, self.context / ".dockerignore"]
        for pattern in _copied(self.path.read_text()):
            matches = sorted(self.context.glob(pattern))
            if not matches:
                raise FileNotFoundError(f"{self.dockerfile} copies {pattern}, which matches nothing")
            found += matches
        return found

    def content_hash(self) -> str:
        """The hash of names and contents of all inputs: the image's tag."""
        return digest(part for path in self.inputs() for part in (str(path.relative_to(self.context)), path))


def _copied(dockerfile: str) -> Iterator[str]:
    for line in dockerfile.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0].upper() in ("COPY", "ADD") and not any(word.startswith("--from=") for word in words):
            yield from (word for word in words[1:-1] if not word.startswith("--"))


IMAGES = {
    image.name: image
    for image in (
        Image("operator", "operator/Dockerfile"),
        Image("bot", "bot-image/Dockerfile"),
        Image("contract-bot", "tests/e2e/contract_bot/Dockerfile"),
    )
}
