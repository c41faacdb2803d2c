"""MeetingSession, the one resource: what its author asks for (spec) and what was observed (status).

Docstrings and descriptions are what ``kubectl explain`` prints. A field stands here only if it works.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from meeting_buddy.contract import languages
from meeting_buddy.contract.assignment import Assignment, Limits, RecordingConfig, TranscriptionConfig, Video
from meeting_buddy.contract.lean import Repeated, RepeatedTime, alike
from meeting_buddy.contract.lenient import read_leniently
from meeting_buddy.contract.links import MAX_LENGTH, PlatformName
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.wire import PlannedTime, Timestamp
from meeting_buddy.resource.model import STORED, StoredModel, default_of

GROUP = "meetingbuddy.io"
VERSION = "v1alpha1"
KIND = "MeetingSession"
PLURAL = "meetingsessions"
API_VERSION = f"{GROUP}/{VERSION}"

DNS_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

Seconds = Annotated[int, Field(ge=0, le=86_400)]
DEFAULT_STARTING_DEADLINE = 900
"""Seconds that ``spec.startingDeadlineSeconds`` means where it is unset."""


SecretName = Annotated[str, Field(pattern=DNS_NAME, min_length=1, max_length=253, description="Name of the Secret.")]
SecretKey = Annotated[
    str, Field(pattern=r"^[-._a-zA-Z0-9]+$", min_length=1, max_length=253, description="Key inside the Secret.")
]


class SecretLink(StoredModel):
    """A key of a Secret in the session's namespace that holds the meeting link."""

    name: SecretName
    key: SecretKey = "link"


class SecretPasscode(StoredModel):
    """A key of a Secret in the session's namespace that holds the meeting's passcode."""

    name: SecretName
    key: SecretKey = "passcode"


@alike
class TranscriptionSpec(StoredModel):
    """What to transcribe."""

    enabled: bool = Field(
        default_of(TranscriptionConfig, "enabled"),
        description="Write a transcript, also with recording.enabled: false. Where the bot class has no engine, "
        "condition Transcribed says NoEngine.",
    )
    language: str = Field(
        default_of(TranscriptionConfig, "language"),
        max_length=8,
        pattern=languages.PATTERN,
        description="Spoken language: a code such as en, de or de-DE, or auto. One that the bot class is known not to "
        "know ends the session with ConfigInvalid.",
    )
    vocabulary: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")], ...],
        Field(max_length=50),
    ] = Field(
        default_of(TranscriptionConfig, "vocabulary"),
        description="Names and words of the trade that the engine should expect, at most 50.",
    )


@alike
class RecordingSpec(StoredModel):
    """What to record."""

    enabled: bool = Field(default_of(RecordingConfig, "enabled"), description="Write a recording.")
    video: Video = Field(
        default_of(RecordingConfig, "video"),
        description="Size of the picture (1280x720, 1920x1080), or none for sound alone.",
    )
    frame_rate: int = Field(default_of(RecordingConfig, "frame_rate"), ge=5, le=30, description="Pictures per second.")


@alike
class LimitsSpec(StoredModel):
    """How long the bot waits for people."""

    waiting_room_seconds: Seconds = Field(
        default_of(Limits, "waiting_room_seconds"),
        description="Longest wait in the waiting room; then the session fails with NotAdmitted.",
    )
    nobody_came_seconds: Seconds = Field(
        default_of(Limits, "nobody_came_seconds"),
        description="Longest time alone from joining on; then the session completes with NobodyCame.",
    )
    everyone_left_seconds: Seconds = Field(
        default_of(Limits, "everyone_left_seconds"),
        description="Time alone after others were there; then the session completes with EveryoneLeft.",
    )
    only_bots_seconds: Seconds = Field(
        default_of(Limits, "only_bots_seconds"),
        description="Time with nobody but other meeting bots, told by their names and by never speaking; then the "
        "session completes with OnlyBotsLeft.",
    )
    silence_seconds: Annotated[int, Field(ge=10, le=86_400)] | None = Field(
        None, description="Time without a sound; then the session completes with Silence. Unset: silence ends nothing."
    )


class MeetingSessionSpec(StoredModel):
    """Which meeting to attend and what to keep. leave, endTime and ttlSecondsAfterFinished may always change.

    Until there is a bot (status.attempt) startTime, startingDeadlineSeconds, meetingLink and botName may, too.
    """

    meeting_link: str | None = Field(
        None,
        min_length=9,
        max_length=MAX_LENGTH,
        description="The meeting's own https link. It is readable by whoever may read this object; "
        "use meetingLinkSecretRef for a link that carries a passcode.",
    )
    meeting_link_secret_ref: SecretLink | None = Field(
        None,
        description="Secret key that holds the link instead; mounted into the pod, never read by the operator.",
    )
    passcode_secret_ref: SecretPasscode | None = Field(
        None,
        description="Secret key that holds the meeting's passcode, for a link that carries none (the link's own goes "
        "first); mounted into the pod, never read by the operator.",
    )
    platform: PlatformName | None = Field(
        None,
        description="Teams, Zoom, GoogleMeet, Webex, or a self-hosted kind that this installation has a platform table "
        "of. Needed for a self-hosted kind and with meetingLinkSecretRef; else the link decides.",
    )
    bot_name: str = Field(
        default_of(Assignment, "bot_name"),
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
        description="Name under which the bot asks to join.",
    )
    announcement: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
        description="What the bot writes into the meeting's chat on joining, such as that it records; one line. Where "
        "a guest cannot write, the session goes on without.",
    )
    transcription: TranscriptionSpec = Field(TranscriptionSpec(), description="What to transcribe.")
    recording: RecordingSpec = Field(RecordingSpec(), description="What to record.")
    leave: bool = Field(
        False, description="Set to true to leave now. It ends the session for good, even if set back to false."
    )
    start_time: PlannedTime | None = Field(
        None,
        description="When the meeting starts, such as 2026-11-30T10:00:00+01:00. The bot is made shortly before, as "
        "its bot class says (60 seconds). Unset: now.",
    )
    end_time: PlannedTime | None = Field(
        None, description="When the bot leaves at the latest, as with leave; the session ends with EndTimeReached."
    )
    starting_deadline_seconds: int | None = Field(
        None,
        ge=0,
        le=604_800,
        description="How long after startTime a bot may still be made; then the session fails with Missed. Unset: 900.",
    )
    ttl_seconds_after_finished: int | None = Field(
        None,
        ge=0,
        le=315_360_000,
        description="Delete this object so long after the session has ended; files are never deleted. Unset: as the "
        "bot class says, by default never. A session that is kept in Git comes back with the next sync.",
    )
    limits: LimitsSpec = Field(LimitsSpec(), description="How long the bot waits for people.")
    active_deadline_seconds: int = Field(
        default_of(Assignment, "active_deadline_seconds"),
        ge=60,
        le=172_800,
        description="Longest stay of each bot, from its process's start; then it leaves and finishes its files.",
    )
    backoff_limit: int = Field(
        2,
        ge=0,
        le=10,
        description="How many more bots are tried when one is known to have failed before it was in the meeting, for a "
        "temporary reason (see the table of reasons): 10, 20, 40 … seconds after each other, at most 5 minutes.",
    )
    on_disruption: Literal["Fail", "Rejoin"] = Field(
        "Fail",
        description="What follows when the bot's pod is drained, evicted, preempted or deleted during the meeting: the "
        "session ends (Fail), or another bot joins and goes on recording into the same folder (Rejoin; 20 bots at "
        "most).",
    )
    bot_class_name: str = Field(
        "default",
        pattern=DNS_NAME,
        min_length=1,
        max_length=63,
        description="Bot class, one of the administrator's named sets of pod settings.",
    )
    debug_mode: bool = Field(
        default_of(Assignment, "debug_mode"),
        description="Keep screenshots and the redacted page on the volume in any case.",
    )
    metadata: dict[Annotated[str, Field(max_length=256)], Annotated[str, Field(max_length=256)]] = Field(
        {}, max_length=32, description="Free map, copied to session.json beside the recording."
    )


class Participant(StoredModel):
    """Somebody whom the page named; who comes again is another entry."""

    name: str = Field(max_length=256, description="Name as the page shows it.")
    joined_at: Timestamp | None = Field(None, description="When the bot first saw them.")


class PastParticipant(Participant):
    """Somebody who left, or was there when the bot left."""

    left_at: Timestamp | None = Field(None, description="When the bot last saw them, or left itself.")


UNSEEN: Final = -1
"""The generation of a session whose status nobody has written yet: what is without a status counts as done to GitOps
tools, and what names another generation does not."""


@dataclass(config=STORED, frozen=True, slots=True)  # a session has a dozen; a model takes four times as much
class Condition:
    """One aspect of the session, in the shape that all Kubernetes conditions have."""

    type: Repeated = Field(max_length=316, description="Name of the aspect.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Repeated = Field(max_length=1024, description="Why, in one word.")
    message: Repeated = Field("", max_length=1024, description="Why, for people.")
    last_transition_time: RepeatedTime = Field(description="When status last changed.")
    observed_generation: int | None = Field(None, ge=0, description="metadata.generation that was observed.")


class MeetingSessionStatus(StoredModel):
    """What was observed. Unknown is absent. The link is never copied here."""

    phase: Phase | None = Field(None, description="Where the session is, for people; machines read conditions.")
    reason: Reason | None = Field(None, description="Why the session ended; in phase Leaving, why its bot did.")
    message: str | None = Field(
        None,
        max_length=1024,
        description="What the session waits for; once it has ended, the reason in a sentence, with advice.",
    )
    session_id: str | None = Field(None, max_length=64, description="Name of the session's folder on the volume.")
    platform: PlatformName | None = Field(None, description="Platform of the link.")
    attempt: int | None = Field(
        None,
        ge=0,
        description="Number of the attempt, and so of its bot, from 1: the one under way, the one planned next or, "
        "once the session has ended, the last one.",
    )
    bot_pod: str | None = Field(None, max_length=63, description="Pod of the bot of status.attempt.")
    next_attempt_time: Timestamp | None = Field(
        None,
        description="When the bot of this attempt is made, after an earlier one failed before the meeting or was "
        "driven out of it.",
    )
    finisher_pod: str | None = Field(
        None,
        max_length=63,
        description="Pod of the finisher, which completes and verifies the files of a bot that ended without doing so.",
    )
    bot_address: str | None = Field(
        None, max_length=45, description="IPv4 or IPv6 address of the pod in status.botPod."
    )
    node: str | None = Field(None, max_length=253, description="Node of the pod in status.botPod.")
    observed_generation: int | None = Field(
        None,
        ge=UNSEEN,
        description="metadata.generation that was observed; -1 until the operator has seen the session.",
    )
    scheduled_time: Timestamp | None = Field(None, description="When the session was accepted.")
    join_timestamp: Timestamp | None = Field(None, description="When the bot was first in the meeting.")
    leave_timestamp: Timestamp | None = Field(
        None, description="When the bot left for the last time; not while one is in the meeting again."
    )
    completion_time: Timestamp | None = Field(None, description="When the session ended.")
    total_duration_seconds: int | None = Field(
        None, ge=0, description="Seconds from the first joining to the last leaving, with what was between two bots."
    )
    duration: str | None = Field(None, max_length=16, description="totalDurationSeconds as text, such as 1h2m.")
    segment_count: int | None = Field(None, ge=0, description="Closed segments on the volume.")
    audio_file_count: int | None = Field(
        None, ge=0, description="1 once sound is being recorded; whether the finished file is whole, the phase says."
    )
    video_file_count: int | None = Field(
        None,
        ge=0,
        description="1 once a picture is being recorded; whether the finished file is whole, the phase says.",
    )
    total_size_bytes: int | None = Field(
        None, ge=0, description="Bytes of all segments; the finished file takes about as many again."
    )
    transcript_line_count: int | None = Field(None, ge=0, description="Finished lines of the transcript.")
    transcript_lag_seconds: float | None = Field(
        None, ge=0, description="How far the transcript is behind what was said, while it is being written."
    )
    output_directory: str | None = Field(None, max_length=512, description="The session's folder on the volume.")
    current_participants: Annotated[list[Participant], Field(max_length=50)] | None = Field(
        None, description="Who is in the meeting now, at most 50."
    )
    participant_count: int | None = Field(None, ge=0, description="How many are in the meeting now, without the bot.")
    participant_history: Annotated[list[PastParticipant], Field(max_length=50)] | None = Field(
        None, description="Who left, the latest last, at most 50."
    )
    participant_history_count: int | None = Field(None, ge=0, description="How many different people were seen.")
    evidence: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=20)] | None = Field(
        None, description="Files that show what went wrong, relative to outputDirectory."
    )
    table_hash: str | None = Field(None, max_length=64, description="Which version of the platform table ran.")
    leave_requested_at: Timestamp | None = Field(
        None, description="When leave was first seen, or endTime was found to be reached."
    )
    leave_reason: Literal["LeaveRequested", "EndTimeReached"] | None = Field(
        None,
        description="Why the bot was asked to leave: spec.leave was true, or spec.endTime was reached. It never "
        "changes.",
    )
    conditions: (
        Annotated[list[Condition], Field(max_length=16, json_schema_extra={"x-kubernetes-list-map-keys": ["type"]})]
        | None
    ) = Field(
        None,
        description="Aspects of the session, one entry a type: Ready, Reconciling, Stalled, Complete, Failed, "
        "PodScheduled, Joined, Recording, Transcribed, Reporting, Sandboxed, AudioReceived, VideoReceived and, while "
        "they apply, MemoryPressure, StoragePressure, BotClassAccepted, PlatformTable, ReconcileError.",
    )

    @property
    def ended(self) -> bool:
        """Whether the session is over for good."""
        return self.phase is not None and self.phase.terminal

    @property
    def finishing(self) -> bool:
        """Whether the bot has ended, why is settled, and only its files are still to be finished."""
        return self.reason is not None and not self.ended

    def holds(self, condition: str) -> bool:
        """Whether a condition is there and True."""
        return any(each.type == condition and each.status == "True" for each in self.conditions or ())


class ObjectMeta(StoredModel):
    """The part of ``metadata`` that is read."""

    name: str
    namespace: str
    uid: str
    generation: int = 1
    resource_version: str | None = None
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None
    annotations: dict[str, str] = {}


class MeetingSession(StoredModel):
    """One meeting to attend: a bot joins as a guest and records it to a volume. Its name has at most 52 characters."""

    metadata: ObjectMeta
    spec: MeetingSessionSpec
    status: MeetingSessionStatus = MeetingSessionStatus()


def read(document: dict[str, Any]) -> tuple[MeetingSession, tuple[str, ...]]:
    """Read a MeetingSession as the API server returned it.

    A CRD of another version may have let in what this one cannot read: such a field counts as not set, and its path is
    in the second part of the answer. A phase of another version reads as what its ``completionTime`` says.

    Raises:
        UnreadableError: a field without which nothing can be said cannot be read.
    """
    session, unreadable = read_leniently(MeetingSession, document)
    if "status.phase" in unreadable and session.status.completion_time is not None:
        phase = Phase.COMPLETED if session.status.holds("Complete") else Phase.FAILED
        session = session.model_copy(update={"status": session.status.model_copy(update={"phase": phase})})
    return session, tuple(unreadable)
