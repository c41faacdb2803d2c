"""From the API server's objects to facts: the one place that knows how Kubernetes spells what is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meeting_buddy.contract import identity, wire
from meeting_buddy.contract.lean import make_lean
from meeting_buddy.domain.facts import ContainerFacts, PodCondition, PodFacts, SessionFacts, Terminated
from meeting_buddy.manifests.pod import RECORDINGS_VOLUME
from meeting_buddy.resource.session import KIND, read

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CachedPod:
    """A pod with what is needed to write to it, besides its facts."""

    facts: PodFacts
    namespace: str
    session_uid: str
    session_name: str
    resource_version: str
    grace_seconds: int | None
    assignment_sha256: str | None
    """Its annotation; ``None``: an earlier version made it, after its Secret."""
    request_hmac: str | None
    """Its annotation: what the author asked for when it was made; ``None``: an earlier version made it."""
    key_fingerprint: str | None
    """Its annotation: which key its control token is derived from."""


def parse_session(document: JsonObject, before: SessionFacts | None = None) -> SessionFacts:
    """Read a MeetingSession.

    Args:
        document: as the API server returned it.
        before: the same session as it was: its spec is read again only if it changed. Not for a listing, which may
            show what an etcd that was restored counted anew.

    Raises:
        UnreadableError: it was stored under a schema of which this operator can read nothing.
    """
    kept: tuple[str, ...] = ()
    if before is not None and _has_same_spec(document["metadata"], before):
        document = {**document, "spec": before.spec}
        kept = tuple(part for part in before.unreadable if part.startswith("spec"))
    session, found = read(dict(document))
    make_lean(session)
    unreadable = tuple(sorted({*kept, *found}))
    metadata = session.metadata
    if metadata.creation_timestamp is None:
        raise ValueError("a stored object has a creationTimestamp")
    return SessionFacts(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        resource_version=metadata.resource_version or "",
        created_at=metadata.creation_timestamp,
        deleting=metadata.deletion_timestamp is not None,
        spec=session.spec,
        status=session.status,
        requested_at=_requested_at(metadata.annotations),
        unreadable=unreadable,
    )


def _has_same_spec(metadata: JsonObject, before: SessionFacts) -> bool:
    """By the generation, which counts changes of the spec."""
    same = metadata["uid"] == before.uid and metadata.get("generation") == before.generation
    return same and newer(metadata["resourceVersion"], before.resource_version)


def _requested_at(annotations: Mapping[str, str]) -> datetime | None:
    """When the HTTP API was asked for a session; whatever else is written there says nothing."""
    try:
        return wire.moment(annotations[identity.ANNOTATION_REQUESTED_AT])
    except (KeyError, ValueError):
        return None


def parse_pod(document: JsonObject) -> CachedPod | None:
    """Read a pod; ``None`` if it is no MeetingSession's.

    The controller's uid says whose it is and the name which of its pods: both stay. Labels are an index.

    One exception: a pod that has no controller any more and still carries our finalizer (its session was deleted with
    ``--cascade=orphan``) is ``orphaned``. Its label says whose clean-up it belongs to, and it is never more than that.
    """
    metadata, status = document["metadata"], document.get("status", {})
    owner = next((each for each in metadata.get("ownerReferences", ()) if each.get("controller")), None)
    annotations = metadata.get("annotations", {})
    finalizers = tuple(metadata.get("finalizers", ()))
    orphaned = owner is None and identity.FINALIZER_OUTCOME in finalizers
    if orphaned:
        owner = _former_owner(metadata)
    which = identity.pod_id(metadata["name"], owner["uid"]) if owner is not None and owner["kind"] == KIND else None
    if owner is None or which is None:
        return None
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    disrupted = conditions.get("DisruptionTarget")
    ready = conditions.get("Ready")
    facts = PodFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        attempt=which.attempt,
        role=which.role,
        created_at=_time(metadata["creationTimestamp"]),
        phase=status.get("phase", "Pending"),
        node=document["spec"].get("nodeName"),
        ip=status.get("podIP"),
        deleted_at=_time(metadata["deletionTimestamp"]) if "deletionTimestamp" in metadata else None,
        finalizer=identity.FINALIZER_OUTCOME in finalizers,
        orphaned=orphaned,
        started_at=_time(status["startTime"]) if status.get("startTime") else None,
        active_deadline_seconds=document["spec"].get("activeDeadlineSeconds"),
        grace_seconds=document["spec"].get("terminationGracePeriodSeconds", 30),
        claim=_claim(document["spec"]),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        scheduled=_condition(conditions.get("PodScheduled")),
        disrupted=_condition(disrupted) if disrupted is not None and disrupted["status"] == "True" else None,
        ready_since=_ready_since(ready, status, metadata),
        bot=_container("bot", status.get("containerStatuses", ())),
        browser=_container("browser", status.get("initContainerStatuses", ())),
        injected=_injected(status),
    )
    return CachedPod(
        facts=facts,
        namespace=metadata["namespace"],
        session_uid=owner["uid"],
        session_name=owner["name"],
        resource_version=metadata["resourceVersion"],
        grace_seconds=document["spec"].get("terminationGracePeriodSeconds"),
        assignment_sha256=annotations.get(identity.ANNOTATION_ASSIGNMENT),
        request_hmac=annotations.get(identity.ANNOTATION_REQUEST),
        key_fingerprint=annotations.get(identity.ANNOTATION_KEY),
    )


def _ready_since(ready: JsonObject | None, status: JsonObject, metadata: JsonObject) -> datetime | None:
    """Since when a pod is ready; one that is and does not say since when: since its start."""
    if ready is None or ready["status"] != "True":
        return None
    return _time(ready.get("lastTransitionTime") or status.get("startTime") or metadata["creationTimestamp"])


def _claim(spec: JsonObject) -> str | None:
    found = (each for each in spec.get("volumes", ()) if each["name"] == RECORDINGS_VOLUME)
    claim: JsonObject = next(((each.get("persistentVolumeClaim") or {}) for each in found), {})
    return claim.get("claimName")


def _former_owner(metadata: JsonObject) -> JsonObject | None:
    """The session that an orphaned pod's label names.

    Its name is read off the pod's, where a long one was cut; then no session is found by it. An orphan's session is
    asked for only when it is in no list, so that this says nothing new.
    """
    uid = metadata.get("labels", {}).get(identity.LABEL_SESSION_UID)
    which = identity.pod_id(metadata["name"], uid) if uid else None
    if which is None:
        return None
    return {"kind": KIND, "uid": uid, "name": metadata["name"].removesuffix(identity.pod_name("", uid, *which))}


def newer(candidate: str, known: str) -> bool:
    """Whether an object's resourceVersion is newer than the one known; a watch may echo what a write returned before.

    Kubernetes compares them as numbers (KEP-5504); anything else counts as newer.
    """
    if candidate.isdecimal() and known.isdecimal():
        return int(candidate) > int(known)
    return candidate != known


def _container(name: str, statuses: Any) -> ContainerFacts:
    status = next((each for each in statuses if each["name"] == name), None)
    if status is None:
        return ContainerFacts()
    state, last = status.get("state", {}), status.get("lastState", {})
    waiting, ended = state.get("waiting"), state.get("terminated")
    return ContainerFacts(
        waiting=waiting.get("reason") if waiting else None,
        waiting_message=waiting.get("message", "") if waiting else "",
        running="running" in state,
        ready=bool(status.get("ready")) and "running" in state,
        terminated=_terminated(ended) if ended else None,
        previous=_terminated(last["terminated"]) if last.get("terminated") else None,
    )


def _injected(status: JsonObject) -> tuple[tuple[str, ContainerFacts], ...]:
    statuses = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    others = [each["name"] for each in statuses if each["name"] not in ("bot", "browser")]
    found = ((name, _container(name, statuses)) for name in others)
    return tuple((name, container) for name, container in found if _in_trouble(container))


def _in_trouble(container: ContainerFacts) -> bool:
    """Whether this may be why the pod does not start; all else about injected containers is nobody's business."""
    if container.terminated is not None:
        return container.terminated.exit_code != 0
    if container.running and not container.ready and container.previous is not None:
        return container.previous.exit_code != 0
    return container.waiting not in (None, "PodInitializing", "ContainerCreating")


def _terminated(state: JsonObject) -> Terminated:
    return Terminated(
        exit_code=state["exitCode"],
        signal=state.get("signal", 0),
        reason=state.get("reason", ""),
        message=state.get("message", ""),
        at=_time(state["finishedAt"]) if state.get("finishedAt") else None,
    )


def _condition(found: JsonObject | None) -> PodCondition | None:
    if found is None:
        return None
    return PodCondition(found["status"], found.get("reason", ""), found.get("message", ""))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
