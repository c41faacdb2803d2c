"""The Secret that tells a bot what to do; mounted into container ``bot`` alone.

The operator may create Secrets and nothing else with them: this one goes with its session, by ownerReference.
"""

from collections.abc import Iterable
from typing import Any

from meeting_buddy.contract.assignment import (
    ASSIGNMENT_FILE,
    Assignment,
    Limits,
    RecordingConfig,
    TokenDigests,
    TranscriptionConfig,
)
from meeting_buddy.contract.links import SelfHostedHost
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.token import Scope, derive, digest
from meeting_buddy.manifests.bot_pod_input import BotPodInput


def bot_secret(
    pod_input: BotPodInput, table: PlatformTable, self_hosted: Iterable[SelfHostedHost], key: bytes
) -> dict[str, Any]:
    """Manifest of the Secret; holds the link (unless it is in a Secret of the user's) and digests of the tokens.

    Args:
        order: the bot.
        table: the platform's resolved page table.
        self_hosted: hosts that the installer lists; the bot judges the link again.
        key: the operator's key, from which tokens are derived; it goes nowhere.
    """
    document = assignment(pod_input, table, self_hosted, key)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": pod_input.name,
            "namespace": pod_input.namespace,
            "labels": pod_input.labels(),
            "ownerReferences": pod_input.owner_references(),
        },
        "type": "Opaque",
        "immutable": True,
        "stringData": {ASSIGNMENT_FILE.name: document.to_json()},
    }


def assignment(
    pod_input: BotPodInput, table: PlatformTable, self_hosted: Iterable[SelfHostedHost], key: bytes
) -> Assignment:
    """What the bot reads at its start."""
    spec = pod_input.spec
    return Assignment(
        session_id=pod_input.session_id,
        namespace=pod_input.namespace,
        attempt=pod_input.attempt,
        link=spec.meeting_link,
        platform=spec.platform,
        self_hosted=tuple(each for each in self_hosted if each.platform is spec.platform),
        bot_name=spec.bot_name,
        recording=RecordingConfig(
            enabled=spec.recording.enabled, video=spec.recording.video, frame_rate=spec.recording.frame_rate
        ),
        transcription=TranscriptionConfig(enabled=spec.transcription.enabled, language=spec.transcription.language),
        limits=Limits(**spec.limits.model_dump()),
        active_deadline_seconds=spec.active_deadline_seconds,
        grace_seconds=pod_input.bot_class.timeouts.grace_seconds,
        finish_seconds=pod_input.bot_class.timeouts.finish_seconds,
        debug_mode=spec.debug_mode,
        metadata=spec.metadata,
        table=table,
        tokens=TokenDigests(
            control=digest(derive(key, pod_input.session_uid, pod_input.attempt, Scope.CONTROL)),
            read=digest(derive(key, pod_input.session_uid, pod_input.attempt, Scope.READ)),
        ),
    )
