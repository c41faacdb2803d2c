"""What is to be done for one session: a closed union of a few actions, in the order in which they are carried out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from meeting_buddy.contract.identity import PodId
from meeting_buddy.contract.links import PlatformName
from meeting_buddy.domain.causes import Outcome


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Create a pod and its Secret; the pod may exist already (then it is adopted)."""

    pod: PodId
    platform: PlatformName | None
    """A finisher needs none."""


@dataclass(frozen=True, slots=True)
class CreateSecret:
    """Create the Secret of a pod whose bot has not started; it may exist already."""

    pod: PodId
    platform: PlatformName | None


@dataclass(frozen=True, slots=True)
class FollowStream:
    """Read the bot's reports from now on."""

    pod: PodId
    ip: str


@dataclass(frozen=True, slots=True)
class StopStream:
    """Stop reading the bot's reports."""

    pod: PodId


@dataclass(frozen=True, slots=True)
class RequestLeave:
    """Ask the bot to leave the meeting."""

    pod: PodId
    ip: str


@dataclass(frozen=True, slots=True)
class ReadLatePod:
    """Read a pod that is late once more, as its watch may be late, and the Events about it and the claim it waits for.

    They come back as facts.
    """

    pod: PodId
    claim: str | None = None


@dataclass(frozen=True, slots=True)
class PatchStatus:
    """Write what changed in the status; ``None`` removes a field. Fails when the session changed meanwhile."""

    patch: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Tell people what happened; never more than one for a transition, never for progress."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class EmitErrorEvent:
    """Tell people by an Event what keeps the operator from going on; once for each change of ``reason``."""

    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class ReleaseFinalizer:
    """Release a pod: its outcome is in the status (written before this action), or nobody is left to tell."""

    pod: str


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete exactly this pod, with its grace period."""

    pod: str
    uid: str


@dataclass(frozen=True, slots=True)
class GiveUpPod:
    """Delete exactly this pod, whose bot does not start; why comes back as a fact: its attempt ends with it."""

    id: PodId
    pod: str
    uid: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class DeleteSession:
    """Delete exactly this MeetingSession as it was seen, which has ended and had its time; never its files."""

    uid: str
    resource_version: str


Action = (
    CreatePod
    | CreateSecret
    | FollowStream
    | StopStream
    | RequestLeave
    | ReadLatePod
    | PatchStatus
    | EmitEvent
    | EmitErrorEvent
    | ReleaseFinalizer
    | DeletePod
    | GiveUpPod
    | DeleteSession
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in order (one that fails ends the plan) and when to look again without an event."""

    actions: tuple[Action, ...] = ()
    requeue_at: datetime | None = None
