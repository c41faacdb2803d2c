"""kopf as a shell: login, and two watches that only pass events on.

kopf's low-level ``on.event`` handlers write nothing. Its stateful ones (create, update, timer, daemon) keep their state
in annotations and finalizers on users' objects, and miss level-triggering; none of them is registered.
"""

import dataclasses
import os
from typing import Any

import kopf

from meeting_buddy.contract.identity import BOT_SELECTOR
from meeting_buddy.controller.controller import Controller
from meeting_buddy.resource.session import GROUP, PLURAL, VERSION


def registry_for(controller: Controller, *, kubeconfig: bool) -> kopf.OperatorRegistry:
    """An explicit registry: no global state, so that two can live in one test."""
    registry = kopf.OperatorRegistry()

    async def login(**facts: Any) -> kopf.ConnectionInfo | None:
        found: kopf.ConnectionInfo | None = (
            kopf.login_with_kubeconfig(**facts) if kubeconfig else kopf.login_with_service_account(**facts)
        )
        address = os.environ.get("KUBERNETES_SERVICE_HOST")
        if found is None or kubeconfig or address is None:
            return found
        # kopf asks for kubernetes.default.svc; the address that every pod is told needs no cluster DNS.
        host = f"[{address}]" if ":" in address else address
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        return dataclasses.replace(found, server=f"https://{host}:{port}")

    async def session(event: kopf.RawEvent, **_: Any) -> None:
        controller.session_event(event["type"], dict(event["object"]))

    async def pod(event: kopf.RawEvent, **_: Any) -> None:
        controller.pod_event(event["type"], dict(event["object"]))

    # Called, not used as decorators: kopf's decorators have no types that a strict checker can follow.
    kopf.on.login(registry=registry)(login)
    kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)(session)
    kopf.on.event("", "v1", "pods", registry=registry)(pod)
    return registry


def settings_for() -> kopf.OperatorSettings:
    """What kopf must not do, and how long it waits."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # Literal namespaces or all of them: nothing to discover, and no right to list namespaces or CRDs is needed.
    settings.scanning.disabled = True
    settings.networking.request_timeout = 30.0
    # Server-side: without it every pod of the cluster would come over the wire.
    settings.watching.label_selectors["pods"] = BOT_SELECTOR
    return settings
