"""What earlier bots left in a session's folder beside media: who was there, who spoke, what they told to be missing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.reporting.outcome import SESSION_FILE
from meeting_buddy_bot.support.event_log import EVENTS_FILE
from meeting_buddy_bot.support.volume import GONE
from meeting_buddy_bot.transcription.messages import Missed

_KEPT: Final = ("people", "evidence", "browser", "media", "breakoutRooms")
"""Of a report that the bot wrote at its end: what nobody can know after it."""


@dataclass(slots=True)
class Stay:
    """One bot's time in the meeting, seconds on the session's clock."""

    start: float
    """When it was let in."""
    end: float
    """When it left; the last event of one that was killed before."""
    told: bool = False
    """Whether all that it left without text is told: it came to its end. One that was killed could not."""


@dataclass(frozen=True, slots=True)
class EarlierFacts:
    """What can be known of the bots' time in the meeting."""

    participants: tuple[str, ...] = ()
    """Names of all who were seen."""
    spoken: tuple[Interval, ...] = ()
    """Who spoke when."""
    missed: tuple[Missed, ...] = ()
    """Stretches that were told to have no text."""
    stays: tuple[Stay, ...] = ()
    """Of the bots that were let in, in order."""
    kept: dict[str, Any] = field(default_factory=dict)
    """Fields of ``session.json`` that stay as they are."""


def read_earlier(folder: Path, attempt: int | None = None) -> EarlierFacts:
    """Read it. Blocking.

    Args:
        folder: the session's.
        attempt: the one whose events, and those that follow, do not count; ``None``: all count.

    Raises:
        OSError: the volume does not hand it out.
    """
    session, names = _session(folder / SESSION_FILE), dict[str, None]()
    spoken, missed, stays = list[Interval](), list[Missed](), _Stays()
    for event in _events(folder / EVENTS_FILE):
        try:
            match event.get("event"):
                case "bot_started" if attempt is not None and event["attempt"] >= attempt:
                    break
                case "participant_joined":
                    names[str(event["name"])] = None
                case "speaking":
                    spoken.append(Interval(str(event["name"]), float(event["start"]), float(event["end"])))
                case "not_transcribed":
                    missed.append(Missed.model_validate(event))
            stays.take(event)
        except (ValueError, KeyError, TypeError, OverflowError):  # of another version
            continue
    known = session.get("participants")
    # A bot that ended wrote down all whom it saw; one that was killed later saw others.
    participants = dict.fromkeys([*(map(str, known) if isinstance(known, list) else ()), *names])
    kept: dict[str, Any] = {name: session[name] for name in _KEPT if name in session}
    return EarlierFacts(tuple(participants), tuple(spoken), tuple(missed), tuple(stays.found), kept)


class _Stays:
    """Finds the stays in the events."""

    def __init__(self) -> None:
        self.found: list[Stay] = []
        self._inside = False
        """Whether the last one's bot was let in and goes on."""
        self._leaving = False

    def take(self, event: dict[str, Any]) -> None:
        """The next event."""
        match event.get("event"):
            case "volume_trouble" | "volume_back":
                return  # perhaps of the next bot, before it could write its start
            case "bot_started" | "finisher_started":
                self._inside = False
            case "finisher_ended":
                self._inside = False
                for stay in self.found:
                    stay.told |= bool(event.get("transcript", True))
            case "admitted":
                if not self._inside:
                    self.found.append(Stay(float(event["t"]), float(event["t"])))
                self._inside, self._leaving = True, False
            case "leaving" | "left" if self._inside:
                self._leaving = True
                self.found[-1].end = float(event["t"])
            case "ended" if self._inside:
                if not self._leaving:
                    self.found[-1].end = float(event["t"])
                self._inside, self.found[-1].told = False, True
            case _ if self._inside and not self._leaving:
                self.found[-1].end = float(event["t"])


def _session(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):  # damaged
        return {}
    except OSError as error:
        if error.errno in GONE:
            raise
        return {}  # of this file alone: a bot that was killed wrote none
    return found if isinstance(found, dict) else {}


def _events(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):  # torn, or damaged
                continue
            if isinstance(found, dict):
                yield found
