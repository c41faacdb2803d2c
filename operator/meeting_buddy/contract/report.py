"""A bot's report: all that is known of one attempt, sent in full with each change.

Sent as ``GET /v1/report`` and as each event of ``GET /v1/events``; the last one, cut, is the container's termination
message, and whole it is ``session.json`` on the volume.
"""

import json
from typing import Final, Literal

from pydantic import Field

from meeting_buddy.contract import VERSION
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.text import json_text
from meeting_buddy.contract.wire import ContractModel, Timestamp

PORT: Final = 8470
"""TCP port of the report server on the pod's address."""

MAX_REPORT_BYTES: Final = 8192
MAX_TERMINATION_BYTES: Final = 4096
"""The kubelet cuts a container's termination message there."""

READABLE_VERSIONS: Final = range(VERSION - 1, VERSION + 2)
"""Operator and bots are upgraded one after the other: a reader takes its own version, the one before, the one after."""

NAMELESS: Final = ("", 0)
"""Session and attempt in the report of a bot that could not read its assignment."""


class Gap(ContractModel):
    """A stretch of the meeting that was not written; seconds on the session clock."""

    start: float
    end: float
    cause: str


class RecordingReport(ContractModel):
    """What is on the volume so far."""

    segments: int = 0
    audio_files: int = 0
    video_files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    gaps: tuple[Gap, ...] = ()
    verified: bool = False
    """Whether the files were opened and found whole; only then may a session be Completed.

    Also true, with no segments, when the stay was over before anything could be written.
    """


class TranscriptionReport(ContractModel):
    """How the transcript is doing; ``Off`` until there is an engine."""

    state: Literal["Off", "Starting", "Live", "Lagging", "Failed", "Done"] = "Off"
    lines: int = 0
    lag_seconds: float | None = None


class PeopleReport(ContractModel):
    """Who is in the meeting, as the page shows it; the bot itself is not counted."""

    current: tuple[str, ...] = ()
    """Names; a bounded number of them, and none where the bot class keeps them out."""
    present: int = 0
    """How many are there now, named or not."""
    seen: int = 0


class BrowserReport(ContractModel):
    """The browser's health and what it really runs under."""

    alive: bool = False
    restarts: int = 0
    version: str | None = None
    age_days: int | None = None
    sandbox: str | None = None
    """``seccomp`` when Chromium's own sandbox is on in both layers; ``none`` when not; null while unknown."""


class Reception(ContractModel):
    """Whether sound or picture of the meeting arrives."""

    received: bool | None = None
    """``None``: it could not be known yet, such as sound before anybody spoke."""
    reason: str = "NotInMeeting"


class MediaReport(ContractModel):
    """What reaches the recorder."""

    flowing: bool = False
    """Whether sound was heard within the last half minute."""
    audio_route: str | None = None
    audio: Reception = Reception()
    video: Reception = Reception()


class Report(ContractModel):
    """One attempt of one session, as its bot sees it."""

    contract: int = VERSION
    revision: int
    """Rises with every change, from 1."""
    session_id: str
    attempt: int
    time: Timestamp
    phase: ReportPhase
    reason: Reason | None = None
    message: str | None = None
    waiting: Waiting | None = None
    joined_at: Timestamp | None = None
    left_at: Timestamp | None = None
    ever_joined: bool = False
    recording: RecordingReport = RecordingReport()
    transcription: TranscriptionReport = TranscriptionReport()
    people: PeopleReport = PeopleReport()
    browser: BrowserReport = BrowserReport()
    media: MediaReport = MediaReport()
    table_hash: str | None = None
    evidence: tuple[str, ...] = Field(default=(), description="Paths relative to the session's folder.")
    memory_pressure: bool = False
    storage_pressure: bool = False
    storage_unresponsive: bool = False
    """The volume does not answer; nothing can be written until it does."""


def report_json(report: Report, limit: int = MAX_REPORT_BYTES) -> str:
    """JSON of a report in at most ``limit`` UTF-8 bytes: names go first, then gaps and evidence, then the message."""
    document = json.loads(report.to_json())
    if len(text := _compact(document)) <= limit:
        return text.decode()
    for shorten in (_halve_names, _halve_gaps, _halve_evidence, _halve_message):
        while shorten(document):
            if len(text := _compact(document)) <= limit:
                return text.decode()
    raise ValueError(f"a report does not fit {limit} bytes")


def _compact(document: dict[str, object]) -> bytes:
    return json_text(document).encode()


def _halve(holder: dict[str, object], key: str) -> bool:
    value = holder.get(key)
    if not isinstance(value, (list, str)) or not value:
        return False
    holder[key] = value[: len(value) // 2]
    return True


def _halve_names(document: dict[str, object]) -> bool:
    people = document["people"]
    return isinstance(people, dict) and _halve(people, "current")


def _halve_gaps(document: dict[str, object]) -> bool:
    recording = document["recording"]
    return isinstance(recording, dict) and _halve(recording, "gaps")


def _halve_evidence(document: dict[str, object]) -> bool:
    return _halve(document, "evidence")


def _halve_message(document: dict[str, object]) -> bool:
    return _halve(document, "message")
