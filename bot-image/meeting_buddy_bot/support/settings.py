"""Where the bot finds and leaves things: the pod's paths as defaults, the environment where they differ."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from meeting_buddy.contract import report
from meeting_buddy.contract.assignment import (
    ASSIGNMENT_FILE,
    LINK_FILE,
    PASSCODE_FILE,
    RECORDINGS,
    TRANSCRIPTION_KEY_FILE,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Paths and ports of one bot, and how finely it cuts what it records."""

    assignment: Path = Path(ASSIGNMENT_FILE)
    assignment_sha256: str = ""
    """SHA-256 of the assignment that the pod was made for; empty: an earlier operator made the pod, any is taken."""
    link: Path = Path(LINK_FILE)
    passcode_file: Path = Path(PASSCODE_FILE)
    transcription_key_file: Path = Path(TRANSCRIPTION_KEY_FILE)
    recordings: Path = Path(RECORDINGS)
    termination_log: Path = Path("/dev/termination-log")
    sockets: Path = Path("/run/mb")
    """Folder of PulseAudio's socket, shared with the browser."""
    display: int = 99
    port: int = report.PORT
    chromedriver: str = "http://127.0.0.1:9515"
    segment_seconds: int = 30
    """Length of a recording's segments."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Defaults, overridden by ``MEETING_BUDDY_<FIELD>``.

        Raises:
            ValueError: a number that is none.
        """
        given = {name: environment.get(f"MEETING_BUDDY_{name.upper()}") for name in cls.__dataclass_fields__}
        default = cls()
        return cls(**{name: type(getattr(default, name))(value) for name, value in given.items() if value})
