"""Building blocks for facts: one session, one installation, pods in the shapes a kubelet gives them."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import PodId, Role
from meeting_buddy.contract.links import SelfHostedHost
from meeting_buddy.contract.report import Report
from meeting_buddy.domain.facts import (
    AttemptFacts,
    ContainerFacts,
    Facts,
    InstallationFacts,
    PodFacts,
    SessionFacts,
    Terminated,
    current_pod,
)
from meeting_buddy.resource.bot_class import BotClass, FinishedSessionSeconds, Transcription
from meeting_buddy.resource.session import MeetingSessionSpec, MeetingSessionStatus
from tests.support.platform_tables import platform_table

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
UID = "0f4c2a68-0000-4000-8000-000000000001"
LINK = "https://meet.example.org/rooms/standup#very-secret"
CLASS = BotClass(image="registry.example/bot:1")
HOST = SelfHostedHost(platform="LiveKit", host="meet.example.org")
KINDS = {"LiveKit": platform_table("livekit").link_rules}
INSTALLATION = InstallationFacts(CLASS, (HOST,), {"LiveKit": "abc123"}, KINDS)
BAD_TABLE = replace(INSTALLATION, table_faults={"LiveKit": "steps.prepend.0.do: is none of these"})
"""The administrator's platform table is wrong."""
ENGLISH_ONLY = replace(
    INSTALLATION, bot_class=CLASS.model_copy(update={"transcription": Transcription(model="/models/whisper-base.en")})
)
"""The class's engine is named after one of Whisper's models that know English only."""
SECOND, THIRD = (identity.pod_name("standup", UID, attempt) for attempt in (2, 3))
POD = identity.pod_name("standup", UID, 1)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def spec(**fields: Any) -> MeetingSessionSpec:
    return MeetingSessionSpec.model_validate({"meetingLink": LINK, "platform": "LiveKit", "backoffLimit": 0, **fields})


def kept(default: int | None = None, longest: int | None = None) -> InstallationFacts:
    """An installation whose class says how long sessions that have ended stay."""
    seconds = FinishedSessionSeconds(default=default, max=longest)
    return replace(INSTALLATION, bot_class=CLASS.model_copy(update={"ttl_seconds_after_finished": seconds}))


def session(
    status: dict[str, Any] | None = None,
    *,
    deleting: bool = False,
    requested_at: datetime | None = None,
    **fields: Any,
) -> SessionFacts:
    return SessionFacts(
        namespace="meetings",
        name="standup",
        uid=UID,
        generation=1,
        resource_version="7",
        created_at=NOW,
        deleting=deleting,
        requested_at=requested_at,
        spec=spec(**fields),
        status=MeetingSessionStatus.model_validate(status or {}),
    )


OF_ATTEMPT = {each.name for each in fields(AttemptFacts)}


def facts(found: SessionFacts | None, *pods: PodFacts, of: PodId | None = None, **more: Any) -> Facts:
    """Facts of one session; what is known of one pod is that of the current one, or of ``of``.

    Where it is late, nobody says why, unless ``warnings`` are given.
    """
    known = {"warnings": (), **{name: more.pop(name) for name in OF_ATTEMPT & set(more)}}
    which = of or (current_pod(found, pods, more.get("attempts", {})) if found is not None else identity.FIRST_BOT)
    attempts = {which: AttemptFacts(**known), **more.pop("attempts", {})}
    return Facts(**{"session": found, "installation": INSTALLATION, "pods": pods, "attempts": attempts, **more})


def report(phase: str = "Joining", **fields: Any) -> Report:
    known = {
        "contract": 1,
        "revision": 1,
        "sessionId": identity.session_id(UID),
        "attempt": 1,
        "time": "2026-11-23T10:01:00Z",
    }
    return Report.model_validate({**known, "phase": phase, **fields})


def joined(phase: str = "Recording", **fields: Any) -> Report:
    return report(phase, **{"joinedAt": "2026-11-23T10:00:20Z", "everJoined": True, **fields})


def last_word(reason: str, **fields: Any) -> str:
    """A termination message of a bot that was in the meeting and verified its files."""
    verified = {"segments": 2, "audioFiles": 1, "videoFiles": 1, "bytes": 9, "seconds": 40.0, "verified": True}
    left = {"leftAt": "2026-11-23T10:00:50Z", "recording": verified}
    return joined("Ended", **{"reason": reason, **left, **fields}).to_json()


def pod(**fields: Any) -> PodFacts:
    return replace(PodFacts(name=POD, uid="pod-1", attempt=1, created_at=NOW, node="node1", ip="10.0.0.9"), **fields)


def waiting(reason: str, message: str = "") -> ContainerFacts:
    return ContainerFacts(waiting=reason, waiting_message=message)


def ended(
    message: str = "", code: int = 0, reason: str = "Completed", signal: int = 0, at: datetime | None = None
) -> ContainerFacts:
    return ContainerFacts(terminated=Terminated(code, signal, reason, message, at))


RUNNING = ContainerFacts(running=True)
READY = ContainerFacts(running=True, ready=True)

FINISHER = PodFacts(
    name=f"{POD}-f",
    uid="pod-f",
    attempt=1,
    role=Role.FINISHER,
    created_at=NOW,
    node="node1",
    phase="Running",
    bot=RUNNING,
)


def finished(message: str) -> PodFacts:
    """A finisher that has ended, with this termination message."""
    return replace(FINISHER, phase="Succeeded", bot=ended(message))


PENDING_POD = pod(node=None, ip=None)
STARTING_POD = pod(bot=waiting("PodInitializing"))
RUNNING_POD = pod(phase="Running", bot=RUNNING)
READY_POD = pod(phase="Running", bot=READY, ready_since=later(20))


def terminated(bot: ContainerFacts, phase: str = "Failed", **fields: Any) -> PodFacts:
    return pod(phase=phase, bot=bot, **fields)


def pretty(document: Any) -> str:
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
