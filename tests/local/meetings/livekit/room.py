"""One room of the local meeting: its link, the people in it, and what a host can do to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.local.machine.process import Process
from tests.local.meetings.livekit.host import Host, Participant
from tests.local.meetings.livekit.paths import HERE, ORIGIN, Paths
from tests.local.meetings.livekit.people import EVERYBODY, People, Person


@dataclass(frozen=True, slots=True)
class Room:
    """A room by its name; it exists on the server from the first person's entry to a minute after the last one left."""

    name: str
    paths: Paths = HERE

    @property
    def link(self) -> str:
        """What a browser opens to join."""
        return f"{ORIGIN}/rooms/{self.name}"

    @contextmanager
    def people(self, people: Sequence[Person] = EVERYBODY, *, language: str = "en") -> Iterator[People]:
        """People who enter, speak in turns until the block ends, and leave."""
        crowd = self.invite(people, language=language)
        try:
            crowd.start()
            yield crowd
        finally:
            crowd.stop()

    def invite(self, people: Sequence[Person] = EVERYBODY, *, language: str = "en") -> People:
        """The same people, not yet started; whoever calls has to stop them."""
        return People(self.name, tuple(people), language, time.monotonic(), self.paths)

    @property
    def host(self) -> Host:
        """Who may see the list, put people out and end the meeting."""
        return Host(self.name, self.paths)

    def participants(self) -> list[Participant]:
        """Who is in the room now, as the host sees it."""
        return self.host.participants()

    def wait_for(self, name: str, seconds: float = 60) -> Participant:
        """Return as soon as somebody of this name is in the room. Raises `TimeoutError`."""
        return self._wait(name, seconds, present=True)

    def wait_until_gone(self, name: str, seconds: float = 60) -> None:
        """Return as soon as nobody of this name is in the room. Raises `TimeoutError`."""
        self._wait(name, seconds, present=False)

    def remove(self, name: str) -> None:
        """Put everybody of this name out of the room, as a host would."""
        self.host.remove(name)

    def delete(self) -> None:
        """End the meeting for all, as a host would. Raises `RoomError` when there is no such room."""
        self.host.delete()

    def clear(self) -> None:
        """End people of this room whom an earlier, killed run left behind."""
        for record in self.paths.processes.glob(f"person-{self.name}-*.process.json"):
            name = record.name.removesuffix(".process.json")
            Process(name, (), self.paths.logs / f"{name}.log", self.paths.processes).stop(2)

    def _wait(self, name: str, seconds: float, *, present: bool) -> Participant:
        deadline = time.monotonic() + seconds
        nobody = Participant("", name, active=False)
        while time.monotonic() < deadline:
            found = next((one for one in self.participants() if one.name == name), nobody)
            if found.active if present else found is nobody:
                return found
            time.sleep(0.1)  # the server's list is asked, not pushed
        listed = ", ".join(one.name for one in self.participants()) or "nobody"
        raise TimeoutError(f"{name} {'not in' if present else 'still in'} {self.name} after {seconds:g} s: {listed}")
