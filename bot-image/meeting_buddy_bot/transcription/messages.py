"""What the supervisor and the transcriber process say to each other.

Down a pipe: frames of sound, each a head (:data:`FRAME_HEAD`) and the PCM of a ``PcmFrame``; its end is the end of the
meeting. Up the process's standard output: one JSON document per line, told apart by ``kind``. Times are seconds on the
session's clock, which the frames carry.
"""

import struct
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, TypeAdapter

from meeting_buddy.contract.assignment import CA_FOLDER, TRANSCRIPTION_KEY_FILE, TranscriptionConfig
from meeting_buddy.contract.languages import AUTO, whisper_code
from meeting_buddy.contract.transcript import Word
from meeting_buddy.contract.wire import ContractModel

FRAME_HEAD: Final = struct.Struct("<d")
"""Of the frame's first sample: seconds on the session's clock."""
CAP_SECONDS: Final = 15.0
"""No segment is longer."""
UNKNOWN_LANGUAGE: Final = "und"
"""ISO 639's code for a language that nobody knows."""


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

    @classmethod
    def of(
        cls,
        config: TranscriptionConfig,
        key_file: Path = Path(TRANSCRIPTION_KEY_FILE),
        ca_folder: Path = Path(CA_FOLDER),
    ) -> Self:
        """As the assignment has it.

        Args:
            config: the assignment's.
            key_file: where the server's key is, if it has one.
            ca_folder: where further certificate authorities are, if there are any.
        """
        server = config.server
        return cls(
            engine="faster-whisper" if server is None else "openai",
            model=(config.model or "") if server is None else server.model,
            base_url=None if server is None else server.url,
            ca_folder=None if server is None else str(ca_folder),
            key_file=None if server is None else str(key_file),
            language=whisper_code(config.language) or AUTO,
            vocabulary=config.vocabulary,
            threads=config.threads,
        )


class Ready(ContractModel):
    """The engine is loaded."""

    kind: Literal["ready"] = "ready"
    engine: str
    model: str


class Partial(ContractModel):
    """What is understood so far of a segment that is still open."""

    kind: Literal["partial"] = "partial"
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

    @property
    def permanent(self) -> bool:
        """Whether neither another process nor waiting helps."""
        return self.reason in ("NoModel", "LanguageNotSupported")


class Recovered(ContractModel):
    """What the last :class:`Fault` was about is over: a decoding succeeded."""

    kind: Literal["recovered"] = "recovered"


Message = Annotated[Ready | Partial | Utterance | Progress | Missed | Fault | Recovered, Field(discriminator="kind")]
MESSAGES: Final[TypeAdapter[Message]] = TypeAdapter(Message)
