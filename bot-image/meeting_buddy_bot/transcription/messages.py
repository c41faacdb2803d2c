"""What the supervisor and the transcriber process say to each other.

Down a pipe: frames of sound, each a head (:data:`FRAME_HEAD`) and the PCM of a ``PcmFrame``; its end is the end of the
meeting. Up the process's standard output: one JSON document per line, told apart by ``kind``. Times are seconds on the
session's clock, which the frames carry.
"""

import struct
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from meeting_buddy.contract.transcript import Word
from meeting_buddy.contract.wire import ContractModel

FRAME_HEAD: Final = struct.Struct("<d")
"""Of the frame's first sample: seconds on the session's clock."""


class TranscriberConfig(ContractModel):
    """What the process is started with: one JSON document as its only argument."""

    engine: Literal["faster-whisper", "openai"] = "faster-whisper"
    model: str = ""
    """Folder of the model, or the name that the server knows it by."""
    language: str = "en"
    """Whisper's code, or ``auto``."""
    vocabulary: tuple[str, ...] = ()
    """Words that the engine should expect."""
    threads: int = Field(1, ge=1, le=16)
    base_url: str | None = None
    """Of an OpenAI-compatible server, up to and with ``/v1``."""
    ca_folder: str | None = None
    """With certificate authorities (``*.crt``) that it may be signed by beside the system's."""
    key_file: str | None = None
    """With that server's key, never the key itself: everybody on the machine reads command lines."""


class Ready(ContractModel):
    """The engine is loaded."""

    kind: Literal["ready"] = "ready"
    engine: str
    model: str


class Hypothesis(ContractModel):
    """What is understood so far of a segment that is still open."""

    kind: Literal["hypothesis"] = "hypothesis"
    segment: int
    revision: int
    start: float
    end: float
    language: str
    text: str
    committed: int = 0
    """Characters at the text's start that will not change any more."""


class Utterance(ContractModel):
    """A segment that is over, decoded once more as a whole; an empty text withdraws what was said of it."""

    kind: Literal["utterance"] = "utterance"
    segment: int
    revision: int
    start: float
    end: float
    language: str
    text: str
    words: tuple[Word, ...] = ()


class Progress(ContractModel):
    """How far the process is: sent each second while it runs."""

    kind: Literal["progress"] = "progress"
    heard: float
    """Time of the last sample that was taken in."""
    done: float
    """Time up to which all speech is final."""
    cpu_seconds: float = 0.0
    spares: bool = False
    """Whether it decodes less than it could, because processors are short."""


class Missed(ContractModel):
    """A stretch that will have no text."""

    kind: Literal["missed"] = "missed"
    start: float
    end: float
    cause: str


class Fault(ContractModel):
    """Something that keeps the process from its work; it goes on, or ends by itself with exit code 1."""

    kind: Literal["fault"] = "fault"
    reason: Literal["NoModel", "LanguageNotSupported", "ServerFailed"]
    message: str
    """For people, free of keys."""


class Recovered(ContractModel):
    """What the last :class:`Fault` was about is over: a decoding succeeded."""

    kind: Literal["recovered"] = "recovered"


Message = Annotated[Ready | Hypothesis | Utterance | Progress | Missed | Fault | Recovered, Field(discriminator="kind")]
MESSAGES: Final[TypeAdapter[Message]] = TypeAdapter(Message)
