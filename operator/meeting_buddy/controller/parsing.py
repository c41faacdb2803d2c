"""From the API server's objects to facts: the one place that knows how Kubernetes spells what is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from meeting_buddy.contract import identity
from meeting_buddy.domain.facts import ContainerFacts, PodCondition, PodFacts, Role, SessionFacts, Terminated
from meeting_buddy.resource.session import KIND, parse

JsonObject = Mapping[str, Any]
_ROLES: Final = {role.value: role for role in Role}


@dataclass(frozen=True, slots=True)
class CachedPod:
    """A pod with what is needed to write to it, besides its facts."""

    facts: PodFacts
    namespace: str
    session_uid: str
    session_name: str
    resource_version: str


def parse_session(document: JsonObject) -> SessionFacts:
    """Read a MeetingSession.

    Raises:
        pydantic.ValidationError: it was stored under a schema that this operator cannot read.
    """
    session = parse(dict(document))
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
        created_by=metadata.annotations.get(identity.ANNOTATION_CREATED_BY),
        spec=session.spec,
        status=session.status,
    )


def parse_pod(document: JsonObject) -> CachedPod | None:
    """Read a pod; ``None`` if no MeetingSession controls it. The controller's uid decides, labels are an index."""
    metadata, status = document["metadata"], document.get("status", {})
    owner = next((each for each in metadata.get("ownerReferences", ()) if each.get("controller")), None)
    labels = metadata.get("labels", {})
    role = _ROLES.get(labels.get(identity.LABEL_COMPONENT, ""))
    attempt = labels.get(identity.LABEL_ATTEMPT, "")
    if owner is None or owner["kind"] != KIND or role is None or not attempt.isdecimal():
        return None
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    disrupted = conditions.get("DisruptionTarget")
    ready = conditions.get("Ready")
    facts = PodFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        attempt=int(attempt),
        created_at=_time(metadata["creationTimestamp"]),
        role=role,
        phase=status.get("phase", "Pending"),
        node=document["spec"].get("nodeName"),
        ip=status.get("podIP"),
        deleted_at=_time(metadata["deletionTimestamp"]) if "deletionTimestamp" in metadata else None,
        finalizer=identity.FINALIZER_OUTCOME in metadata.get("finalizers", ()),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        scheduled=_condition(conditions.get("PodScheduled")),
        disrupted=_condition(disrupted) if disrupted is not None and disrupted["status"] == "True" else None,
        ready_since=_time(ready["lastTransitionTime"]) if ready is not None and ready["status"] == "True" else None,
        bot=_container("bot", status.get("containerStatuses", ())),
        browser=_container("browser", status.get("initContainerStatuses", ())),
    )
    return CachedPod(
        facts=facts,
        namespace=metadata["namespace"],
        session_uid=owner["uid"],
        session_name=owner["name"],
        resource_version=metadata["resourceVersion"],
    )


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
    state = status.get("state", {})
    waiting, ended = state.get("waiting"), state.get("terminated")
    return ContainerFacts(
        waiting=waiting.get("reason") if waiting else None,
        waiting_message=waiting.get("message", "") if waiting else "",
        running="running" in state,
        ready=bool(status.get("ready")) and "running" in state,
        terminated=_terminated(ended) if ended else None,
        restarts=status.get("restartCount", 0),
    )


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
