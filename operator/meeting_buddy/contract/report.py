"""A bot's report: all that is known of one attempt, sent in full with each change.

Sent as ``GET /v1/report`` and as each event of ``GET /v1/events``; the last one, cut, is the container's termination
message, and whole it is ``session.json`` on the volume.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from meeting_buddy.contract import VERSION
from meeting_buddy.contract.lean import alike
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.text import json_text, well_formed
from meeting_buddy.contract.wire import YEARS, ContractModel, Timestamp

PORT: Final = 8470
"""TCP port of the report server on the pod's address."""

MAX_REPORT_BYTES: Final = 8192
MAX_TERMINATION_BYTES: Final = 4096
"""The kubelet cuts a container's termination message there."""

READABLE_VERSIONS: Final = range(VERSION - 1, VERSION + 2)
"""Operator and bots are upgraded one after the other: a reader takes its own version, the one before, the one after."""

MAX_CURRENT: Final = 50
"""People in a report, of those that are there."""
MAX_LEFT: Final = 20
"""People in a report, of those that have left."""

NAMELESS: Final = ("", 0)
"""Session and attempt in the report of a bot that could not read its assignment."""

MAX_COUNT: Final = 2**53
"""Largest number that every reader of JSON has exactly."""
MAX_WORD: Final = 64
READING: Final = "reading a report"
"""Validation context in which values are held to their bounds: a writer must never fail for what it found."""


def _read_count(value: int, info: ValidationInfo) -> int:
    if info.context == READING and not 0 <= value <= MAX_COUNT:
        raise ValueError(f"a count is 0 to {MAX_COUNT}")
    return value


def _read_word(value: str, info: ValidationInfo) -> str:
    if info.context == READING and (len(value) > MAX_WORD or well_formed(value) != value):
        raise ValueError(f"a word has at most {MAX_WORD} characters, and no lone surrogate")
    return value


def _read_moment(value: datetime, info: ValidationInfo) -> datetime:
    if info.context == READING and (value.tzinfo is None or value.year not in YEARS):
        raise ValueError(f"a moment has a time zone, and is in one of the years {YEARS.start} to {YEARS.stop - 1}")
    return value


Count = Annotated[int, AfterValidator(_read_count)]
Word = Annotated[str, AfterValidator(_read_word)]
Moment = Annotated[Timestamp, AfterValidator(_read_moment)]


class Gap(ContractModel):
    """A stretch of the meeting that was not written; seconds on the session clock."""

    start: float
    end: float
    cause: str


class RecordingReport(ContractModel):
    """What is on the volume so far."""

    segments: Count = 0
    audio_files: Count = 0
    video_files: Count = 0
    bytes: Count = 0
    seconds: float = 0.0
    gaps: tuple[Gap, ...] = ()
    verified: bool = False
    """Whether the files were opened and found whole; only then may a session be Completed.

    Also true, with no segments, when the stay was over before anything could be written.
    """


class TranscriptionReport(ContractModel):
    """How the transcript is doing; ``Off`` where there is no engine, or nobody asked for it."""

    state: Literal["Off", "Starting", "Live", "Lagging", "Failed", "Done"] = "Off"
    reason: Word | None = None
    """Why it failed, or what of a finished one is missing, in one word."""
    message: str | None = None
    """The same in a sentence, with the remedy."""
    lines: Count = 0
    """Final lines that were written."""
    lag_seconds: float | None = None
    """How far the text is behind what was said."""


class PersonReport(ContractModel):
    """Somebody whom the page named. A person is a name and a time of joining: who comes again is another entry."""

    name: str
    joined_at: Moment | None = None
    """When the bot first saw them; ``None``: a bot that reported names alone."""

    @model_validator(mode="before")
    @classmethod
    def _accept_bare_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class LeftReport(PersonReport):
    """Somebody who has left the meeting, or was there when the bot left it."""

    left_at: Moment
    """When the bot last saw them."""


class PeopleReport(ContractModel):
    """Who is in the meeting, as the page shows it; the bot itself is not counted.

    Lists are bounded and may be cut to fit a document; the two numbers are right all the same.
    """

    current: tuple[PersonReport, ...] = ()
    """In the order of their coming, at most ``MAX_CURRENT``; none where the bot class keeps names out."""
    left: tuple[LeftReport, ...] = ()
    """The latest first, at most ``MAX_LEFT``; none where the bot class keeps names out."""
    present: Count = 0
    """How many are there now, named or not."""
    seen: Count = 0
    """How many different people were seen, named or not; beyond thousands of names, how often further ones came."""


@alike
class BrowserReport(ContractModel):
    """The browser's health and what it really runs under."""

    alive: bool = False
    restarts: Count = 0
    version: Word | None = None
    age_days: Count | None = None
    sandbox: Word | None = None
    """``seccomp`` when Chromium's own sandbox is on in both layers; ``none`` when not; null while unknown."""


@alike
class Reception(ContractModel):
    """Whether sound or picture of the meeting arrives."""

    received: bool | None = None
    """``None``: it could not be known yet, such as sound before anybody spoke."""
    reason: Word = "NotInMeeting"


@alike
class MediaReport(ContractModel):
    """What reaches the recorder."""

    flowing: bool = False
    """Whether sound was heard within the last half minute."""
    audio_route: Word | None = None
    audio: Reception = Reception()
    video: Reception = Reception()


class Report(ContractModel):
    """One attempt of one session, as its bot sees it."""

    contract: int = VERSION
    revision: int
    """Rises with every change, from 1."""
    session_id: str
    attempt: int
    time: Moment
    phase: ReportPhase
    reason: Reason | None = None
    message: str | None = None
    waiting: Waiting | None = None
    joined_at: Moment | None = None
    left_at: Moment | None = None
    ever_joined: bool = False
    recording: RecordingReport = RecordingReport()
    transcription: TranscriptionReport = TranscriptionReport()
    people: PeopleReport = PeopleReport()
    browser: BrowserReport = BrowserReport()
    media: MediaReport = MediaReport()
    table_hash: Word | None = None
    evidence: tuple[str, ...] = Field(default=(), description="Paths relative to the session's folder.")
    breakout_rooms: bool = False
    """The host has opened breakout rooms; the bot stays in the main session."""
    memory_pressure: bool = False
    storage_pressure: bool = False
    storage_unresponsive: bool = False
    """The volume does not answer; nothing can be written until it does."""

    @property
    def nameless(self) -> bool:
        """Whether its author could not read whose attempt it is."""
        return (self.session_id, self.attempt) == NAMELESS


def report_json(report: Report, limit: int = MAX_REPORT_BYTES) -> str:
    """JSON of a report in at most ``limit`` UTF-8 bytes: the least needed goes first.

    That is the earliest gaps, all of which are in the manifest; then those who left longest ago, those who came last,
    evidence, and the messages; at last all but whose report it is, how it ended, times and counts.
    """
    document = json.loads(report.to_json())
    text = _compact(document)
    for shorten in _SHORTENERS:
        while len(text) > limit and shorten(document, len(text) - limit):
            text = _compact(document)
    if len(text) > limit:
        raise ValueError(f"a report does not fit {limit} bytes")
    return text.decode()


def _compact(document: dict[str, Any]) -> bytes:
    return json_text(document).encode()


def _drop_left(document: dict[str, Any], excess: int) -> bool:
    return _drop_last(document["people"], "left", excess)


def _drop_current(document: dict[str, Any], excess: int) -> bool:
    return _drop_last(document["people"], "current", excess)


def _drop_early_gaps(document: dict[str, Any], _excess: int) -> bool:
    gaps: list[object] = document["recording"]["gaps"]
    half = (len(gaps) + 1) // 2
    del gaps[:half]
    return half > 0


def _halve_evidence(document: dict[str, Any], _excess: int) -> bool:
    return _halve(document, "evidence")


def _halve_transcript_message(document: dict[str, Any], _excess: int) -> bool:
    return _halve(document["transcription"], "message")


def _halve_message(document: dict[str, Any], _excess: int) -> bool:
    return _halve(document, "message")


def _keep_essentials(document: dict[str, Any], _excess: int) -> bool:
    kept = {name: document[name] for name in _ESSENTIAL}
    kept["people"] = {name: document["people"][name] for name in ("present", "seen")}
    kept["transcription"] = {name: document["transcription"][name] for name in ("state", "reason", "lines")}
    smaller = len(kept) < len(document)
    document.clear()
    document.update(kept)
    return smaller


_ESSENTIAL: Final = (
    *("contract", "revision", "sessionId", "attempt", "time", "phase", "reason", "waiting"),
    *("joinedAt", "leftAt", "everJoined", "recording"),
    *("breakoutRooms", "memoryPressure", "storagePressure", "storageUnresponsive"),
)
"""Fields whose length no page and no server has a say in."""

_SHORTENERS: Final[tuple[Callable[[dict[str, Any], int], bool], ...]] = (
    _drop_early_gaps,
    _drop_left,
    _drop_current,
    _halve_evidence,
    _halve_transcript_message,
    _halve_message,
    _keep_essentials,
)
"""What is given up for the limit, in this order: each takes something away, or says that nothing is left to take."""


def _drop_last(holder: dict[str, Any], key: str, excess: int) -> bool:
    """Take as many entries from a list's end as free ``excess`` bytes."""
    entries: list[object] = holder[key]
    freed = 0
    while entries and freed < excess:
        entry = entries.pop()
        freed += len(json_text(entry).encode()) + (1 if entries else 0)  # with the comma before it
    return freed > 0


def _halve(holder: dict[str, Any], key: str) -> bool:
    value = holder.get(key)
    if not isinstance(value, (list, str)) or not value:
        return False
    holder[key] = value[: len(value) // 2]
    return True
