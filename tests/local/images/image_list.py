"""Which images there are, and what goes into each: read from their Dockerfiles, so that nothing is listed twice."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.local.clone import REPOSITORY
from tests.local.machine.cache import digest
from tests.local.machine.cli_errors import CliError
from tests.local.media import speech_model


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its short name, its Dockerfile relative to `context`, and the context: the repository's root."""

    name: str
    dockerfile: str
    context: Path = REPOSITORY
    model: Callable[[], Path] | None = None
    """The folder of the speech model that goes into it, made on first use."""

    @property
    def path(self) -> Path:
        """The Dockerfile."""
        return self.context / self.dockerfile

    @property
    def repository(self) -> str:
        """Its name in a registry."""
        return f"meeting-buddy/{self.name}"

    @property
    def contexts(self) -> dict[str, Path]:
        """Folders outside the context that its Dockerfile copies from, by the names that it calls them."""
        return {} if self.model is None else {"model": self.model()}

    def with_model(self, folder: Path) -> Image:
        """The same with another speech model, if it has one at all.

        Raises `CliError` when the folder holds none.
        """
        if self.model is None:
            return self
        if not (folder / "model.bin").is_file():
            raise CliError(f"no speech model as faster-whisper takes it (model.bin) in {folder}")
        return replace(self, model=lambda: folder)

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
        named = [(str(path.relative_to(self.context)), path) for path in self.inputs()]
        return digest(part for pair in (*named, *self.contexts.items()) for part in pair)


def _copied(dockerfile: str) -> Iterator[str]:
    for line in dockerfile.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0].upper() in ("COPY", "ADD") and not any(word.startswith("--from=") for word in words):
            yield from (word for word in words[1:-1] if not word.startswith("--"))


IMAGES = {
    image.name: image
    for image in (
        Image("operator", "operator/Dockerfile"),
        Image("bot", "bot-image/Dockerfile", model=speech_model.model_folder),
        Image("contract-bot", "tests/e2e/contract_bot/Dockerfile"),
    )
}
