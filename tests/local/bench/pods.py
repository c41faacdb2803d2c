"""From apply to bot pod: how long the operator takes, beside a pod that is created directly.

The sessions are of a bot class that no node satisfies, so that nothing runs and only the control plane is measured.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.local.bench.figures import Figure, spread
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import SESSIONS
from tests.local.meetings.livekit.paths import ORIGIN

COUNT = 40
RATE = 20.0  # sessions per second
PARKED = "parked"
"""Name of the bot class that no node satisfies."""


def apply_to_pod(kubectl: Kubectl) -> Figure:
    """Seconds from an object's creation being asked for to the pod's first watch event."""
    session = {
        "apiVersion": "meetingbuddy.io/v1alpha1",
        "kind": "MeetingSession",
        "spec": {"meetingLink": f"{ORIGIN}/rooms/bench", "platform": "LiveKit", "botClassName": PARKED},
    }
    plain = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {
            "nodeSelector": {"meetingbuddy.io/nowhere": "true"},
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "c",
                    "image": "none",
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
    return Figure(
        f"apply → bot pod, {RATE:g} sessions/s",
        spread(_times(kubectl, session, "bench-session")),
        f"bare pod: {spread(_times(kubectl, plain, 'bench-pod'))}",
        "p99 ≤ 250 ms",
    )


def _times(kubectl: Kubectl, manifest: Mapping[str, object], prefix: str) -> list[float]:
    path = _collection(manifest)
    asked: dict[str, float] = {}
    with _proxy(kubectl) as port, _pods_seen(kubectl) as seen, ThreadPoolExecutor(8) as pool:
        creating = []
        for number in range(COUNT):
            began = time.monotonic()
            name = f"{prefix}-{number:03}"
            body = json.dumps({**manifest, "metadata": {"name": name, "namespace": SESSIONS}})
            asked[name] = time.monotonic()
            creating.append(pool.submit(_post, port, path, body))
            time.sleep(max(0.0, 1 / RATE - (time.monotonic() - began)))  # the rate is what is measured under
        for each in creating:
            each.result()
        deadline = time.monotonic() + 60
        while len(_matched(seen, asked)) < COUNT and time.monotonic() < deadline:
            time.sleep(0.05)
        found = _matched(seen, asked)
    kind = "pods" if manifest["kind"] == "Pod" else "meetingsessions"
    kubectl("delete", kind, f"--namespace={SESSIONS}", *asked, "--wait=true", "--timeout=120s", timeout=130)
    if len(found) < COUNT:
        raise RuntimeError(f"{COUNT - len(found)} of {COUNT} pods did not appear within a minute")
    return [moment - asked[name] for name, moment in found.items()]


def _matched(seen: dict[str, float], asked: dict[str, float]) -> dict[str, float]:
    return {name: moment for name in asked for pod, moment in list(seen.items()) if pod.startswith(name)}


def _collection(manifest: Mapping[str, object]) -> str:
    if manifest["kind"] == "Pod":
        return f"/api/v1/namespaces/{SESSIONS}/pods"
    return f"/apis/meetingbuddy.io/v1alpha1/namespaces/{SESSIONS}/meetingsessions"


def _post(port: int, path: str, body: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status >= 300:
        raise RuntimeError(f"creating: {answer.status} {answer.read().decode()}")
    connection.close()


@contextmanager
def _proxy(kubectl: Kubectl) -> Iterator[int]:
    process = subprocess.Popen(kubectl.argv("proxy", "--port=0"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _pods_seen(kubectl: Kubectl) -> Iterator[dict[str, float]]:
    """Pods by name with the moment of their first watch event."""
    seen: dict[str, float] = {}
    argv = kubectl.argv("get", "pods", f"--namespace={SESSIONS}", "--watch", "--no-headers")
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            seen.setdefault(line.split()[0], time.monotonic())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield seen
    finally:
        process.terminate()
        process.wait()
        reader.join()
