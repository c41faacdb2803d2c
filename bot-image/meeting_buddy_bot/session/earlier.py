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


@dataclass(frozen=True, slots=True)
class EarlierFacts:
    """What can be known of the bots' time in the meeting."""

    participants: tuple[str, ...] = ()
    """Names of all who were seen."""
    spoken: tuple[Interval, ...] = ()
    """Who spoke when."""
    missed: tuple[Missed, ...] = ()
    """Stretches that were told to have no text."""
    admitted: float | None = None
    """When the first of them was let in; ``None``: none was, or it was not told."""
    inside_until: float = 0.0
    """The last second of which one of them told something while it was in the meeting."""
    left: float | None = None
    """When the last of them that was let in left, if it came to its end after that."""
    ended: bool = True
    """Whether the last of the bots came to its end; one that was killed did not tell what it left out."""
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
    spoken, missed, admitted, ended = [], [], None, True
    left, leaving, inside, inside_until = None, None, False, 0.0
    for event in _events(folder / EVENTS_FILE):
        try:
            match event.get("event"):
                case "bot_started":
                    if attempt is not None and event["attempt"] >= attempt:
                        break
                    ended, inside = False, False
                case "admitted":
                    at = float(event["t"])
                    admitted, left, leaving, inside = at if admitted is None else admitted, None, None, True
                case "leaving" | "left" if inside:
                    leaving = float(event["t"])
                case "ended":
                    ended, left = True, leaving if inside else left
                case "finisher_ended":
                    ended = True
                case "participant_joined":
                    names[str(event["name"])] = None
                case "speaking":
                    spoken.append(Interval(str(event["name"]), float(event["start"]), float(event["end"])))
                case "not_transcribed":
                    missed.append(Missed.model_validate(event))
            if inside:
                inside_until = max(inside_until, float(event["t"]))
        except (ValueError, KeyError, TypeError, OverflowError):  # of another version
            continue
    known = session.get("participants")
    # A bot that ended wrote down all whom it saw; one that was killed later saw others.
    participants = dict.fromkeys([*(map(str, known) if isinstance(known, list) else ()), *names])
    kept: dict[str, Any] = {name: session[name] for name in _KEPT if name in session}
    return EarlierFacts(
        tuple(participants), tuple(spoken), tuple(missed), admitted, inside_until, left, ended=ended, kept=kept
    )


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
