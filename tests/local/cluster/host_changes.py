"""What the cluster made outside its own folder, noted before it is made, so that `down` finds it whatever was killed.

Addresses, bridges, firewall chains, kernel settings: they do not die with a process and are not removed with a folder.
Each note keeps what was there before (a kernel setting's value), or an empty text.

If this process dies: the note comes first: at worst something is noted that was never made, and removing what is not
there is no error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HostChanges:
    """The notes, one JSON file: kind → name → what was there before."""

    path: Path

    def note(self, kind: str, name: str, before: str = "") -> None:
        """Note a thing that is about to be made; an earlier note of it is kept (it knows the true `before`)."""
        notes = self._read()
        if name not in notes.setdefault(kind, {}):
            notes[kind][name] = before
            self._write(notes)

    def forget(self, kind: str, name: str) -> None:
        """Drop a note: the thing is gone."""
        notes = self._read()
        if notes.get(kind, {}).pop(name, None) is not None:
            self._write(notes)

    def things(self, kind: str) -> dict[str, str]:
        """The noted things of a kind, with what was there before."""
        return self._read().get(kind, {})

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            notes: dict[str, dict[str, str]] = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        return notes

    def _write(self, notes: dict[str, dict[str, str]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        tmp_path = self.path.with_suffix(".new")
        tmp_path.write_text(json.dumps(notes, indent=1))
        tmp_path.rename(self.path)
