"""The Secret with a bot's or a finisher's assignment; mounted into container ``bot`` alone.

The operator may create Secrets and nothing else with them: this one goes with its pod, which is made first and owns it.
The pod's annotation holds the SHA-256 of the assignment, and its bot refuses any other.
"""

import json
from collections.abc import Iterable
from typing import Any

from meeting_buddy.contract import identity
from meeting_buddy.contract.assignment import (
    ASSIGNMENT_FILE,
    Assignment,
    FinisherAssignment,
    Limits,
    RecordingConfig,
    TokenDigests,
    TranscriptionConfig,
    TranscriptionServer,
    assignment_sha256,
)
from meeting_buddy.contract.identity import Role
from meeting_buddy.contract.links import SelfHostedHost
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.token import BotKeys, Scope, digest, fingerprint
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.resource.bot_class import Transcription
from meeting_buddy.resource.session import MeetingSessionSpec, MeetingSessionStatus, TranscriptionSpec


def bot_secret(pod_input: BotPodInput, document: str, pod_uid: str) -> dict[str, Any]:
    """Manifest of the Secret; holds the link (unless it is in a Secret of the user's) and digests of the tokens.

    Args:
        pod_input: the bot.
        document: its assignment, as JSON.
        pod_uid: uid of its pod, which owns the Secret.
    """
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": pod_input.name,
            "namespace": pod_input.namespace,
            "labels": pod_input.labels(),
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": pod_input.name, "uid": pod_uid, "controller": True}
            ],
        },
        "type": "Opaque",
        "immutable": True,
        "stringData": {ASSIGNMENT_FILE.name: document},
    }


def named_secret(namespace: str, name: str) -> dict[str, Any]:
    """Manifest of an empty Secret: to ask whether one of its name is there, never to be created."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": "Opaque"}


def assignment_annotations(pod_input: BotPodInput, document: str, keys: BotKeys) -> dict[str, str]:
    """What a pod says of its assignment (JSON): its digest, the key of its control token, what it was made for."""
    found = {
        identity.ANNOTATION_ASSIGNMENT: assignment_sha256(document.encode()),
        identity.ANNOTATION_KEY: fingerprint(keys.control),
    }
    if pod_input.pod.role is Role.BOT:
        found[identity.ANNOTATION_REQUEST] = request_hmac(pod_input.spec, keys)
    return found


def request_hmac(spec: MeetingSessionSpec, keys: BotKeys) -> str:
    """Tells whether two specs ask for the same bot at the same time; says nothing of the link."""
    start = spec.start_time.timestamp() if spec.start_time is not None else None
    return keys.seal(json.dumps([spec.meeting_link, spec.bot_name, start]))


def assignment(
    pod_input: BotPodInput,
    table: PlatformTable,
    self_hosted: Iterable[SelfHostedHost],
    keys: BotKeys,
    *,
    rejoins: bool = False,
) -> Assignment:
    """What the bot reads at its start; equal inputs make an equal document.

    Args:
        pod_input: the bot.
        table: the platform's resolved table.
        self_hosted: hosts that the installer lists; the bot validates the link again.
        keys: from which the tokens are derived; they go nowhere.
        rejoins: whether an earlier bot of the session was in the meeting.
    """
    spec = pod_input.spec
    return Assignment(
        **_attempt(pod_input, keys),
        rejoins=rejoins,
        link=spec.meeting_link,
        platform=spec.platform,
        self_hosted=tuple(each for each in self_hosted if each.platform == spec.platform),
        announcement=spec.announcement,
        limits=Limits(**spec.limits.model_dump()),
        active_deadline_seconds=spec.active_deadline_seconds,
        table=table,
    )


def finisher_assignment(pod_input: BotPodInput, ended: MeetingSessionStatus, keys: BotKeys) -> FinisherAssignment:
    """What the finisher reads at its start: no link, but why its bot ended.

    Args:
        pod_input: the finisher.
        ended: the session's status, with the reason for which the bot ended.
        keys: as for a bot.
    """
    return FinisherAssignment(
        **_attempt(pod_input, keys),
        reason=ended.reason or Reason.BOT_CRASHED,
        message=ended.message,
        joined_at=ended.join_timestamp,
        left_at=ended.leave_timestamp,
        table_hash=ended.table_hash,
    )


def _attempt(pod_input: BotPodInput, keys: BotKeys) -> dict[str, Any]:
    """The fields of ``AttemptConfig``."""
    spec, bot_class = pod_input.spec, pod_input.bot_class
    uid, attempt = pod_input.session_uid, pod_input.pod.attempt
    return {
        "session_id": pod_input.session_id,
        "namespace": pod_input.namespace,
        "attempt": attempt,
        "bot_name": spec.bot_name,
        "recording": RecordingConfig(
            enabled=spec.recording.enabled, video=spec.recording.video, frame_rate=spec.recording.frame_rate
        ),
        "transcription": _transcription(spec.transcription, bot_class.transcription),
        "grace_seconds": bot_class.timeouts.grace_seconds,
        "finish_seconds": bot_class.timeouts.finish_seconds,
        "debug_mode": spec.debug_mode,
        "publish_participants": bot_class.participants.publish,
        "metadata": spec.metadata,
        "tokens": TokenDigests(
            control=digest(keys.token(uid, attempt, Scope.CONTROL)), read=digest(keys.token(uid, attempt, Scope.READ))
        ),
    }


def _transcription(asked: TranscriptionSpec, engine: Transcription) -> TranscriptionConfig:
    server = engine.server
    return TranscriptionConfig(
        enabled=asked.enabled,
        language=asked.language,
        vocabulary=asked.vocabulary,
        model=engine.model,
        server=None if server is None else TranscriptionServer(url=server.url, model=server.model),
        threads=engine.threads,
        log_lines=engine.log_lines,
    )
