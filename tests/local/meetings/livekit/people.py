"""People in a room: one process each, speaking by one written schedule from one shared beginning.

What was really said, and when, stands in `<rooms>/<room>/<person>.jsonl`, written by the speaker itself.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tests.local.clone import REPOSITORY, SPEECH
from tests.local.machine.process import Process
from tests.local.meetings import priority
from tests.local.meetings.livekit.host import Host, RoomError
from tests.local.meetings.livekit.paths import Paths
from tests.local.meetings.livekit.schedule import Clip, Turn

_PATIENCE = 90.0  # seconds for one person to be in the room with media on, or to speak a turn, on a loaded machine
_LONGEST = 3600.0  # seconds after which a person whom nobody stops leaves
_EDGE = 3.0  # seconds at the beginning and the end of a recording that it may not hold


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who speaks; `video` also sends a moving picture with a frame counter."""

    name: str
    video: bool = False

    @property
    def identity(self) -> str:
        """`Ada Lovelace` is `ada-lovelace` to the server and in file names."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


EVERYBODY = (Person("Ada Lovelace", video=True), Person("Grace Hopper"), Person("Alan Turing"))
"""One picture and three voices: enough for a layout and a change of speakers, within half a core."""
VOICES = EVERYBODY[1:]
"""Two voices: where nobody looks at a moving picture, which costs its sender, the page and the recorder."""


@dataclass(frozen=True, slots=True)
class Said:
    """One turn that was really spoken: the schedule's times, and the wall clock at its first sample."""

    turn: Turn
    wall: datetime


@dataclass(frozen=True, slots=True)
class People:
    """A group that shares one conversation. `beginning` is its time zero, on the machine's monotonic clock."""

    room: str
    people: tuple[Person, ...]
    language: str
    beginning: float
    paths: Paths

    @property
    def folder(self) -> Path:
        """Where each of them writes what they said."""
        return self.paths.rooms / self.room

    @property
    def began(self) -> datetime:
        """The wall clock at time zero of the schedule."""
        return datetime.fromtimestamp(time.time() - (time.monotonic() - self.beginning), UTC)

    def start(self) -> None:
        """All enter; returns when each is in the room and sending. Raises `ProcessFailedError`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for person in self.people:
            self._speech_log(person).unlink(missing_ok=True)
            self._process(person).start()
        for person in self.people:
            self._process(person).wait_ready(partial(self._joined, person), _PATIENCE)

    def leave(self, name: str) -> None:
        """One of them leaves, politely; the others go on, and the turns of the one who left stay silent."""
        self._go(next(person for person in self.people if person.name == name))

    def stop(self) -> None:
        """All leave, politely and at the same time."""
        with ThreadPoolExecutor(max_workers=max(len(self.people), 1)) as pool:
            list(pool.map(self._go, self.people))

    def _go(self, person: Person) -> None:
        if self._process(person).stop():
            # LiveKit's client can end before its goodbye is sent; the server would list the person for 20 s more.
            with contextlib.suppress(RoomError):  # a server that is gone lists nobody
                Host(self.room, self.paths).remove(person.identity)

    def said(self) -> list[Said]:
        """What was spoken until now, in order, without turns that leaving cut off; the last may not be over yet."""
        found = []
        for person in self.people:
            entries = self._entries(person)
            left = max((entry["wall"] for entry in entries if entry["event"] == "left"), default=None)
            for entry in entries:
                if entry["event"] != "spoke":
                    continue
                began = datetime.fromisoformat(entry["wall"])
                over = began + timedelta(seconds=entry["seconds"])
                if left is None or over <= datetime.fromisoformat(left):
                    clip = Clip(SPEECH / entry["clip"], entry["seconds"])
                    found.append(Said(Turn(person.name, clip, entry["start"]), began))
        return sorted(found, key=lambda said: said.turn.start)

    def wait_until_spoken(self, seconds: float, *, turns: int = 0) -> None:
        """Return after `seconds` of conversation from now, in which as many whole `turns` can be heard in a recording.

        Raises `RuntimeError` when somebody fell out, or nobody speaks.
        """
        began = time.monotonic()
        while time.monotonic() < began + seconds or self._whole_turns(began + _EDGE) < turns:
            if time.monotonic() > began + seconds + _PATIENCE:
                raise RuntimeError(f"not {turns} whole turns within {seconds + _PATIENCE:g} s")
            time.sleep(min(0.5, max(began + seconds - time.monotonic(), 0.1)))
            if failures := self.failures():
                raise RuntimeError("\n".join(failures))

    def _whole_turns(self, since: float) -> int:
        until = time.monotonic() - _EDGE - self.beginning
        return sum(one.turn.start >= since - self.beginning and one.turn.end <= until for one in self.said())

    def failures(self) -> list[str]:
        """People who should be speaking and are not, with the end of their log."""
        return [
            f"{person.name}: {self._process(person).log_tail()}"
            for person in self.people
            if self._process(person).find() is None
        ]

    def _joined(self, person: Person) -> bool:
        return any(entry["event"] == "joined" for entry in self._entries(person))

    def _entries(self, person: Person) -> list[dict[str, Any]]:
        try:
            written = self._speech_log(person).read_text()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in written.splitlines(keepends=True) if line.endswith("\n")]

    def _speech_log(self, person: Person) -> Path:
        return self.folder / f"{person.identity}.jsonl"

    def _process(self, person: Person) -> Process:
        name = f"person-{self.room}-{person.identity}"
        config = {
            "room": self.room,
            "identity": person.identity,
            "name": person.name,
            "video": person.video,
            "people": [one.name for one in self.people],
            "clips": str(SPEECH / self.language),
            "beginning": self.beginning,
            "seconds": _LONGEST,
            "keys": str(self.paths.keys),
            "speech_log": str(self._speech_log(person)),
        }
        return Process(
            name=name,
            argv=(*priority.ARGV, sys.executable, "-m", "tests.local.meetings.livekit.speaker", json.dumps(config)),
            log=self.paths.logs / f"{name}.log",
            state_dir=self.paths.processes,
            environment={"PYTHONPATH": str(REPOSITORY)},
        )
