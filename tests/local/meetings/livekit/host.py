"""What the host of a room can do: see who is there, put somebody out, end the meeting. LiveKit's RoomService."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass

from tests.local.meetings.livekit import keys
from tests.local.meetings.livekit.paths import SIGNAL_PORT, Paths


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody whom the server lists: the page's people have identities such as `Meeting Buddy__1f2e`."""

    identity: str
    name: str
    active: bool


class RoomError(Exception):
    """The server refused what a host asked, or did not answer."""


@dataclass(frozen=True, slots=True)
class Host:
    """The host of one room."""

    room: str
    paths: Paths

    def participants(self) -> list[Participant]:
        """Who is in the room now; empty when there is no such room. Raises `RoomError` when the server is gone."""
        try:
            answer = self._ask("ListParticipants", {"room": self.room})
        except RoomError as error:
            if "not_found" in str(error):
                return []
            raise
        listed = answer.get("participants", [])
        return [Participant(one["identity"], one.get("name", ""), one.get("state") == "ACTIVE") for one in listed]

    def remove(self, who: str) -> None:
        """Put everybody of this name, or of exactly this identity, out of the room."""
        for one in self.participants():
            if who in (one.name, one.identity):
                self._ask("RemoveParticipant", {"room": self.room, "identity": one.identity})

    def delete(self) -> None:
        """End the meeting for all. Raises `RoomError` when there is no such room."""
        self._ask("DeleteRoom", {"room": self.room})

    def _ask(self, method: str, body: dict[str, str]) -> dict[str, list[dict[str, str]]]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{SIGNAL_PORT}/twirp/livekit.RoomService/{method}",
            json.dumps(body).encode(),
            {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {keys.load(self.paths.keys).admin_token(self.room)}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                answer: dict[str, list[dict[str, str]]] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            raise RoomError(f"{method}: {error.read().decode(errors='replace')}") from error
        except OSError as error:
            raise RoomError(f"{method}: {error}") from error
