"""What the operator's own metrics say."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import NAMESPACE, RELEASE
from tests.support import exposition

_SELECTOR = f"--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"


def samples(kubectl: Kubectl, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of each sample of a metric."""
    pods = kubectl.json("get", "pods", f"--namespace={NAMESPACE}", _SELECTOR)["items"]
    address = next(pod["status"]["podIP"] for pod in pods if "deletionTimestamp" not in pod["metadata"])
    yield from exposition.samples(address, 8080, name)


def wait_until_it_leads(kubectl: Kubectl, seconds: float = 30.0) -> None:
    """Return once the operator acts: after an upgrade the new one waits for the old one's Lease.

    Raises `TimeoutError`.
    """
    deadline = time.monotonic() + seconds
    while not any(value for _, value in samples(kubectl, "meetingbuddy_leader")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the operator does not lead after {seconds:g} s")
        time.sleep(0.1)  # a gauge cannot be awaited
