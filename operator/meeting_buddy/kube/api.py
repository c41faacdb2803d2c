"""What the operator does with which kind of object; every right it needs is a method here.

The chart's roles and this file are two views of one list, which
``tests/integration/test_operator_rights.py`` holds together.
"""

import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from meeting_buddy.contract import identity
from meeting_buddy.kube.client import KubeClient
from meeting_buddy.kube.errors import KubeError, ObjectRef
from meeting_buddy.kube.paths import FIELD_MANAGER, MERGE_PATCH, PODS, STRATEGIC_MERGE_PATCH, path_of
from meeting_buddy.resource.session import API_VERSION, KIND, PLURAL

JsonObject = dict[str, Any]
PAGE: Final = "500"
DRY_RUN: Final = "/dry-run"
"""What metrics and errors put behind the kind of an object that is only created by a dry run."""
_MANAGED: Final = {"fieldManager": FIELD_MANAGER}
_CONTROLLER: Final = "meetingbuddy.io/operator"
_NOTE_BYTES: Final = 1024
"""What the API server takes of an Event's note."""


class KubernetesApi:
    """Typed methods for the few calls that are made; errors are :class:`KubeError`."""

    def __init__(self, client: KubeClient, instance: str) -> None:
        self._client = client
        self._instance = instance

    # MeetingSessions

    async def get_session(self, namespace: str, name: str) -> JsonObject:
        """Read a MeetingSession."""
        path = path_of(API_VERSION, namespace, PLURAL, name)
        return await self._client.call("GET", path, about=ObjectRef(KIND, namespace, name))

    async def list_sessions(self, namespace: str | None) -> AsyncIterator[JsonObject]:
        """All MeetingSessions of a namespace, or of all."""
        async for item in self._list(path_of(API_VERSION, namespace, PLURAL), ObjectRef(KIND, namespace or "", ""), {}):
            yield item

    async def patch_status(
        self, namespace: str, name: str, resource_version: str, patch: Mapping[str, Any]
    ) -> JsonObject:
        """Merge into the status, provided that nobody changed the session since ``resource_version`` (409 if so)."""
        body = {"metadata": {"resourceVersion": resource_version}, "status": dict(patch)}
        path = path_of(API_VERSION, namespace, PLURAL, name, "status")
        about = ObjectRef(f"{KIND}/status", namespace, name)
        return await self._client.call("PATCH", path, about=about, body=body, query=_MANAGED, content_type=MERGE_PATCH)

    async def delete_session(self, namespace: str, name: str, uid: str, resource_version: str) -> None:
        """Delete exactly this MeetingSession, provided that nobody changed it since (409 if so); gone is fine."""
        path = path_of(API_VERSION, namespace, PLURAL, name)
        seen = {"uid": uid, "resourceVersion": resource_version}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": seen}
        try:
            await self._client.call("DELETE", path, about=ObjectRef(KIND, namespace, name), body=body)
        except KubeError as error:
            if not error.not_found:
                raise

    async def served_schema(self) -> JsonObject:
        """The MeetingSession's schema as the API server publishes it, in its OpenAPI v3 document of the group.

        No right of the operator's own: every account that is authenticated may read it (``system:discovery``).

        Raises:
            KubeError: the document cannot be had, or has no such schema; 404 while there is no CRD.
        """
        about = ObjectRef("OpenAPI", "", API_VERSION)
        document = await self._client.call("GET", f"/openapi/v3/apis/{API_VERSION}", about=about)
        group, _, version = API_VERSION.partition("/")
        name = f"{'.'.join(reversed(group.split('.')))}.{version}.{KIND}"
        try:
            schema: JsonObject = document["components"]["schemas"][name]
        except (KeyError, TypeError) as error:
            raise KubeError.of_nonsense(about) from error
        return schema

    # Pods

    async def get_pod(self, namespace: str, name: str) -> JsonObject:
        """Read a pod."""
        return await self._client.call(
            "GET", path_of("v1", namespace, PODS, name), about=ObjectRef("Pod", namespace, name)
        )

    async def list_pods(self, namespace: str | None) -> AsyncIterator[JsonObject]:
        """All bot pods of a namespace, or of all."""
        selector = {"labelSelector": identity.POD_SELECTOR}
        async for item in self._list(path_of("v1", namespace, PODS), ObjectRef("Pod", namespace or "", ""), selector):
            yield item

    async def create_pod(self, manifest: JsonObject) -> JsonObject:
        """Create a bot's pod."""
        return await self._create("v1", PODS, manifest)

    async def dry_run_pod(self, manifest: JsonObject) -> None:
        """Ask the API server by a dry run (``dryRun=All``) whether it would take a pod, admission included."""
        await self._create("v1", PODS, manifest, dry_run=True)

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """Delete exactly this pod, with its own grace period; gone already is fine."""
        await self._delete(path_of("v1", namespace, PODS, name), ObjectRef("Pod", namespace, name), uid)

    async def release_pod(self, namespace: str, name: str, uid: str, finalizer: str) -> JsonObject:
        """Take one finalizer from exactly this pod, whatever else changed meanwhile (422 if the uid is another).

        A strategic merge patch names the list's entry itself: it needs no resourceVersion, so that the kubelet, which
        writes a pod's status at the same moments, cannot be in the way.
        """
        body = {"metadata": {"uid": uid, "$deleteFromPrimitiveList/finalizers": [finalizer]}}
        path = path_of("v1", namespace, PODS, name)
        about = ObjectRef("Pod", namespace, name)
        return await self._client.call(
            "PATCH", path, about=about, body=body, query=_MANAGED, content_type=STRATEGIC_MERGE_PATCH
        )

    async def label_pod(self, namespace: str, name: str, uid: str, labels: Mapping[str, str]) -> JsonObject:
        """Set labels of exactly this pod, whatever else changed meanwhile (refused if the uid is another)."""
        body = {"metadata": {"uid": uid, "labels": dict(labels)}}
        path = path_of("v1", namespace, PODS, name)
        about = ObjectRef("Pod", namespace, name)
        return await self._client.call(
            "PATCH", path, about=about, body=body, query=_MANAGED, content_type=STRATEGIC_MERGE_PATCH
        )

    async def annotate_pod(
        self, namespace: str, name: str, annotations: Mapping[str, str], resource_version: str
    ) -> JsonObject:
        """Set annotations of a pod, provided that it is unchanged since ``resource_version`` (409 if not)."""
        body = {"metadata": {"resourceVersion": resource_version, "annotations": dict(annotations)}}
        path = path_of("v1", namespace, PODS, name)
        about = ObjectRef("Pod", namespace, name)
        return await self._client.call("PATCH", path, about=about, body=body, query=_MANAGED, content_type=MERGE_PATCH)

    async def pod_events(self, namespace: str, pod_uid: str) -> list[JsonObject]:
        """Events about a pod, as the API server orders them."""
        selector = {"fieldSelector": f"involvedObject.uid={pod_uid}"}
        about = ObjectRef("Event", namespace, "")
        return [item async for item in self._list(path_of("v1", namespace, "events"), about, selector)]

    async def claim_events(self, namespace: str, claim: str) -> list[JsonObject]:
        """Events about a claim."""
        selector = {"fieldSelector": f"involvedObject.kind=PersistentVolumeClaim,involvedObject.name={claim}"}
        about = ObjectRef("Event", namespace, "")
        return [item async for item in self._list(path_of("v1", namespace, "events"), about, selector)]

    # Secrets: created only; nothing here could read a user's

    async def create_secret(self, manifest: JsonObject) -> None:
        """Create a Secret."""
        await self._create("v1", "secrets", manifest, answered=False)

    async def secret_exists(self, manifest: JsonObject) -> bool:
        """Whether there is a Secret of this name, from what the API server says to a trial: it is not read."""
        try:
            await self._create("v1", "secrets", manifest, dry_run=True)
        except KubeError as error:
            if not error.exists:
                raise
            return True
        return False

    async def get_key_secret(self, namespace: str, name: str) -> JsonObject | None:
        """The Secret with the operator's own keys, the one that it may read; ``None`` if there is none."""
        path = path_of("v1", namespace, "secrets", name)
        try:
            return await self._client.call("GET", path, about=ObjectRef("Secret", namespace, name))
        except KubeError as error:
            if error.not_found:
                return None
            raise

    async def patch_key_secret(
        self, namespace: str, name: str, resource_version: str, data: Mapping[str, str]
    ) -> JsonObject:
        """Add items to that Secret, provided that nobody changed it since ``resource_version`` (409 if so)."""
        body = {"metadata": {"resourceVersion": resource_version}, "data": dict(data)}
        path = path_of("v1", namespace, "secrets", name)
        about = ObjectRef("Secret", namespace, name)
        return await self._client.call("PATCH", path, about=about, body=body, query=_MANAGED, content_type=MERGE_PATCH)

    # Events

    async def create_event(self, regarding: JsonObject, kind: str, reason: str, note: str, at: datetime) -> None:
        """Tell people about a session; ``kind`` is Normal or Warning."""
        name = f"{regarding['name']}.{secrets.token_hex(8)}"
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": regarding["namespace"]},
            "eventTime": _micro(at),
            "reportingController": _CONTROLLER,
            "reportingInstance": self._instance,
            "action": reason,
            "reason": reason,
            "note": note.encode()[:_NOTE_BYTES].decode(errors="ignore"),
            "type": kind,
            "regarding": {"apiVersion": API_VERSION, "kind": KIND, **regarding},
        }
        await self._create("events.k8s.io/v1", "events", body, answered=False)

    # Leases

    async def get_lease(self, namespace: str, name: str) -> JsonObject:
        """Read a Lease."""
        path = path_of("coordination.k8s.io/v1", namespace, "leases", name)
        about = ObjectRef("Lease", namespace, name)
        return _lease(about, await self._client.call("GET", path, about=about))

    async def create_lease(self, manifest: JsonObject) -> JsonObject:
        """Create a Lease."""
        metadata = manifest["metadata"]
        about = ObjectRef("Lease", metadata["namespace"], metadata["name"])
        return _lease(about, await self._create("coordination.k8s.io/v1", "leases", manifest))

    async def update_lease(self, manifest: JsonObject) -> JsonObject:
        """Replace a Lease; its ``resourceVersion`` decides between two that want it."""
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        path = path_of("coordination.k8s.io/v1", namespace, "leases", name)
        about = ObjectRef("Lease", namespace, name)
        return _lease(about, await self._client.call("PUT", path, about=about, body=manifest))

    async def _create(
        self, group_version: str, plural: str, manifest: JsonObject, *, dry_run: bool = False, answered: bool = True
    ) -> JsonObject:
        metadata = manifest["metadata"]
        path = path_of(group_version, metadata["namespace"], plural)
        kind = manifest["kind"] + (DRY_RUN if dry_run else "")
        about = ObjectRef(kind, metadata["namespace"], metadata["name"])
        query = {**_MANAGED, "dryRun": "All"} if dry_run else _MANAGED
        return await self._client.call("POST", path, about=about, body=manifest, query=query, answered=answered)

    async def _delete(self, path: str, about: ObjectRef, uid: str) -> None:
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        try:
            await self._client.call("DELETE", path, about=about, body=body)
        except KubeError as error:
            if not error.not_found and not error.conflict:  # conflict: another object has the name by now
                raise

    async def _list(self, path: str, about: ObjectRef, selector: Mapping[str, str]) -> AsyncIterator[JsonObject]:
        more = ""
        while True:
            query = {**selector, "limit": PAGE} | ({"continue": more} if more else {})
            page = await self._client.call("GET", path, about=about, query=query)
            for item in page["items"]:
                yield item
            more = page["metadata"].get("continue") or ""
            if not more:
                return


def _lease(about: ObjectRef, document: JsonObject) -> JsonObject:
    """A Lease that has the parts that its contenders look at; raises KubeError for any other answer."""
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(spec, dict) or not isinstance(metadata, dict) or "resourceVersion" not in metadata:
        raise KubeError.of_nonsense(about)
    return document


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
