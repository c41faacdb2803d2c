"""What a bot, or the finisher of its recording, is to do: ``assignment.json`` in a Secret for container ``bot`` alone.

A bot's holds secrets (the link, perhaps a passcode inside it), so it is never logged and never leaves the pod.
"""

import hashlib
from pathlib import PurePosixPath
from typing import Final, Literal

from pydantic import Field

from meeting_buddy.contract import VERSION
from meeting_buddy.contract.links import PlatformName, SelfHostedHost
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.wire import ContractModel, Timestamp

ASSIGNMENT_FILE: Final = PurePosixPath("/etc/meeting-buddy/assignment/assignment.json")
LINK_FILE: Final = PurePosixPath("/etc/meeting-buddy/link/link")
"""The link, when it comes from a Secret of the user's (``meetingLinkSecretRef``) through the kubelet."""
PASSCODE_FILE: Final = PurePosixPath("/etc/meeting-buddy/passcode/passcode")
"""The meeting's passcode, where a Secret of the user's holds one (``passcodeSecretRef``), through the kubelet."""
TRANSCRIPTION_KEY_FILE: Final = PurePosixPath("/etc/meeting-buddy/transcription-key/key")
"""The transcription server's key, where the bot class names a Secret with one, through the kubelet."""
CA_FOLDER: Final = PurePosixPath("/etc/meeting-buddy/ca")
"""Extra certificate authorities, ``*.crt``, mounted into ``browser``, and into ``bot`` where it asks a server."""
MODEL_FOLDER: Final = PurePosixPath("/models/whisper")
"""Where the bot's image has its speech model, or a volume does."""
RECORDINGS: Final = PurePosixPath("/recordings")
"""The session's own folder on the volume."""

DIGEST_VARIABLE: Final = "MEETING_BUDDY_ASSIGNMENT_SHA256"
"""Environment variable of container ``bot`` that holds the SHA-256 of the file's content, from the pod's annotation."""

Video = Literal["none", "720p", "1080p"]


# The defaults here are the only ones: the resources' models take theirs from these.


class RecordingConfig(ContractModel):
    """What to record."""

    enabled: bool = True
    video: Video = "720p"
    frame_rate: int = Field(15, ge=1, le=60)


class TranscriptionServer(ContractModel):
    """A server that turns sound into text; its key is in :data:`TRANSCRIPTION_KEY_FILE`, if it has one."""

    url: str
    """Base URL of OpenAI's HTTP API, up to and with ``/v1``."""
    model: str


class TranscriptionConfig(ContractModel):
    """What to transcribe."""

    enabled: bool = True
    language: str = "en"
    vocabulary: tuple[str, ...] = ()
    """Words that the engine should expect."""
    model: str | None = None
    """Folder of a faster-whisper model in the container; without it and ``server`` there is no engine."""
    server: TranscriptionServer | None = None
    """Asked instead of the model."""
    threads: int = 1
    log_lines: bool = False
    """Whether each finished line is written to the container's log, too."""

    @property
    def wanted(self) -> bool:
        """Whether there is to be a transcript, and an engine for it."""
        return self.enabled and (self.model is not None or self.server is not None)


class Limits(ContractModel):
    """How long the bot waits for people, seconds."""

    waiting_room_seconds: int = 900
    nobody_came_seconds: int = 1200
    everyone_left_seconds: int = 60
    only_bots_seconds: int = 300
    silence_seconds: int | None = None
    """``None``: silence ends nothing."""


class TokenDigests(ContractModel):
    """SHA-256 of the bearer tokens the report server accepts, hex."""

    control: str
    read: str


class AttemptConfig(ContractModel):
    """What the bot of an attempt and its finisher are told alike."""

    contract: int = VERSION
    session_id: str
    namespace: str
    attempt: int
    bot_name: str = "Meeting Buddy"
    recording: RecordingConfig = RecordingConfig()
    transcription: TranscriptionConfig = TranscriptionConfig()
    grace_seconds: int = 120
    """The pod's termination grace period: leave, close and verify must fit."""
    finish_seconds: int = 1800
    """For closing, joining and verifying the files when no SIGTERM is pending."""
    debug_mode: bool = False
    publish_participants: bool = True
    """Whether people's names may leave the volume: in the report (and so the status) and in the container's log."""
    metadata: dict[str, str] = {}
    """The user's own map, copied to ``session.json``."""
    tokens: TokenDigests


class Assignment(AttemptConfig):
    """One attempt of one session."""

    rejoins: bool = False
    """Whether an earlier attempt was in the meeting."""
    link: str | None = Field(default=None, repr=False)
    """``None``: read it from :data:`LINK_FILE`."""
    platform: PlatformName | None = None
    """``spec.platform``; ``None``: the link's host decides."""
    self_hosted: tuple[SelfHostedHost, ...] = ()
    announcement: str | None = None
    """What the bot writes into the meeting's chat on joining."""
    limits: Limits = Limits()
    active_deadline_seconds: int = 14400
    """From the pod's start; the kubelet enforces it a little later should the bot not."""
    table: PlatformTable
    left_out_of_table: tuple[str, ...] = Field((), exclude=True)
    """Parts of the table as it was sent that this bot does not understand."""


class FinisherAssignment(AttemptConfig):
    """The files of an attempt whose bot was in the meeting and ended without verifying them."""

    reason: Reason
    """Why the attempt ended."""
    message: str | None = None
    """The same in a sentence."""
    joined_at: Timestamp | None = None
    left_at: Timestamp | None = None
    table_hash: str | None = None


def assignment_sha256(content: bytes) -> str:
    """SHA-256 of an assignment as it stands in its file, in hex."""
    return hashlib.sha256(content).hexdigest()
