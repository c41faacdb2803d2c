"""The operator as its own process against the API server of the tests, to be started, killed and counted.

The API server comes without controllers and kubelets, so a test says itself what a kubelet would: it writes pod status.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import CONFLICT
from pathlib import Path
from typing import Any

import yaml

from meeting_buddy.contract.identity import Role, pod_name
from meeting_buddy.kube.api import DRY_RUN
from tests.local.clone import PLATFORM_TABLES, REPOSITORY
from tests.local.cluster.api_client import ApiClient, ApiError
from tests.local.cluster.kubectl import Kubectl
from tests.support import exposition
from tests.support.awaiting import wait_until

READY_SINCE = "2026-11-23T10:00:20Z"
"""When a pod became ready, by the tests' kubelet."""
LINK = "https://meet.buddy.test:8443/rooms/standup#token-like-secret"
PATIENCE = 150.0
"""Seconds that a test waits for something, also on a slow machine."""
_NOT_COUNTED = ("Lease", "Event")

INSTALLATION: dict[str, Any] = {
    "botClasses": {
        "default": {
            "image": "localhost:5000/meeting-buddy/bot:test",
            "timeouts": {"startupTimeoutSeconds": 120, "graceSeconds": 10},
        },
        "english": {
            "image": "localhost:5000/meeting-buddy/bot:test",
            "transcription": {"model": "/models/whisper-base.en"},
        },
        "hasty": {"image": "localhost:5000/meeting-buddy/bot:test", "timeouts": {"startupTimeoutSeconds": 20}},
    },
    "selfHosted": {"hosts": [{"platform": "LiveKit", "host": "meet.buddy.test", "port": 8443}]},
}


@dataclass
class OperatorProcess:
    """One operator process; restarted with the same name it is the same contender for the Lease."""

    kubeconfig: Path
    folder: Path
    namespace: str
    port: int
    name: str = "operator-0"
    own_namespace: str | None = None
    """Where its Lease and its key are; by default where the sessions are."""
    all_namespaces: bool = False
    also: tuple[str, ...] = ()
    """Namespaces that it watches besides ``namespace``."""
    process: subprocess.Popen[bytes] | None = None
    installation: dict[str, Any] = field(default_factory=lambda: INSTALLATION)
    tables: tuple[Path, ...] = (PLATFORM_TABLES,)
    """Folders of platform tables, the built-in ones first."""
    silence: float | None = None
    """Seconds until it opens a silent watch again; by default its own 70."""

    def start(self, *, ready: bool = True) -> None:
        """Start it, and wait until it is ready."""
        path = self.folder / "installation.yaml"
        path.write_text(yaml.safe_dump(self.installation))
        arguments = [
            "--all-namespaces" if self.all_namespaces else f"--namespace={self.namespace}",
            *(f"--namespace={each}" for each in self.also),
            f"--own-namespace={self.own_namespace or self.namespace}",
            f"--identity={self.name}",
            f"--kubeconfig={self.kubeconfig}",
            f"--installation={path}",
            *(f"--tables={folder}" for folder in self.tables),
            "--host=127.0.0.1",
            f"--port={self.port}",
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self._program(), *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY / "operator")},
            )
        if ready:
            wait_until(self.ready, f"{self.name} is ready", PATIENCE)

    def _program(self) -> list[str]:
        if self.silence is None:
            return ["-m", "meeting_buddy.app"]
        impatient = f"operate.SILENCE_SECONDS = {self.silence}"
        return ["-c", f"from meeting_buddy.app import __main__, operate; {impatient}; exit(__main__.main())"]

    @property
    def log(self) -> Path:
        """Where it logs."""
        return self.folder / f"{self.name}.log"

    def ready(self) -> bool:
        """Whether it answers /readyz with 200."""
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"the operator ended: {self.log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM; its exit status."""
        return self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: it is there and does nothing, as a process that hangs."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples whose labels contain these."""
        return sum(value for found, value in self._samples(name) if labels.items() <= found.items())

    def writes(self) -> dict[str, int]:
        """Successful writes to the API server by verb and kind; Lease, Events and dry runs left out."""
        return self._counted_writes(lambda code: code.startswith("2"))

    def attempts(self) -> dict[str, int]:
        """The same with those that were refused or got no answer: what it tried."""
        return self._counted_writes(lambda _: True)

    def conflicts(self) -> int:
        """Calls of any kind that the API server answered with 409."""
        return int(self.metric("meetingbuddy_api_requests_total", code="409"))

    def _counted_writes(self, counts: Callable[[str], bool]) -> dict[str, int]:
        found: dict[str, int] = {}
        for call, value in self._samples("meetingbuddy_api_requests_total"):
            kind = call["resource"]
            counted = kind not in _NOT_COUNTED and not kind.endswith(DRY_RUN)
            if call["verb"] != "GET" and counted and counts(call["code"]):
                name = f"{call['verb']} {kind}"
                found[name] = found.get(name, 0) + int(value)
        return found

    def _samples(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        return exposition.samples("127.0.0.1", self.port, name)

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        status = self.process.wait(timeout=PATIENCE)
        self.process = None
        return status


@contextmanager
def running(operator: OperatorProcess) -> Iterator[OperatorProcess]:
    """The operator for the block."""
    operator.start()
    try:
        yield operator
    finally:
        operator.kill()


def session(name: str, **spec: Any) -> dict[str, Any]:
    """A MeetingSession for a room of the test's meeting host."""
    return {
        "apiVersion": "meetingbuddy.io/v1alpha1",
        "kind": "MeetingSession",
        "metadata": {"name": name},
        "spec": {"meetingLink": LINK, "platform": "LiveKit", "backoffLimit": 0, **spec},
    }


def harmless_pod(name: str, **metadata: Any) -> dict[str, Any]:
    """A pod that has nothing to do with sessions, and that restricted pod security lets in."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    container = {
        "name": "c",
        "image": "i",
        "securityContext": {**security, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [container]},
    }


@dataclass(frozen=True)
class Sessions:
    """What a test sees and does in its namespace."""

    kubectl: Kubectl

    @property
    def api(self) -> ApiClient:
        """The namespace by HTTP, for all that does not ask how kubectl behaves."""
        return self.kubectl.api

    def apply(self, name: str, **spec: Any) -> None:
        """Create a session; of one that is there, set these fields, and keep what else somebody set."""
        manifest = session(name, **spec)
        try:
            self.api.create("meetingsessions", manifest)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            self.api.patch("meetingsessions", name, {"spec": manifest["spec"]})

    def get(self, name: str) -> dict[str, Any]:
        """The session."""
        found: dict[str, Any] = self.api.get("meetingsessions", name)
        return found

    def status(self, name: str) -> dict[str, Any]:
        """Its status, perhaps empty."""
        found: dict[str, Any] = self.get(name).get("status", {})
        return found

    def phase(self, name: str, *phases: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Its status, once it is in one of these phases."""
        last: dict[str, Any] = {}

        def look() -> dict[str, Any] | None:
            last.clear()
            last.update(self.status(name))
            return dict(last) if last.get("phase") in phases else None

        try:
            return wait_until(look, f"{name} is {' or '.join(phases)}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; status: {last}") from None

    def pods(self) -> list[dict[str, Any]]:
        """All bot pods."""
        found: list[dict[str, Any]] = self.api.get("pods")["items"]
        return found

    def pod(self, name: str, attempt: int = 1, role: Role = Role.BOT, seconds: float = PATIENCE) -> dict[str, Any]:
        """One of a session's pods, once there is one."""
        expected = pod_name(name, self.get(name)["metadata"]["uid"], attempt, role)
        return wait_until(
            lambda: next((pod for pod in self.pods() if pod["metadata"]["name"] == expected), None),
            f"there is pod {expected}",
            seconds,
        )

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Type, reason and words of all Events about a session."""
        found = self.api.get("events")["items"]
        return [
            (each["type"], each["reason"], each["message"]) for each in found if each["involvedObject"]["name"] == name
        ]

    # What a kubelet would say

    def scheduled(self, pod: dict[str, Any], node: str = "node1") -> None:
        """Bind a pod to a node."""
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod["metadata"]["name"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        self.api.call("POST", self.api.path("pods", pod["metadata"]["name"], "binding"), binding)

    def running(self, pod: dict[str, Any], *, ip: str | None = None, ready: bool = False) -> None:
        """Its containers run."""
        state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": READY_SINCE}]
        status: dict[str, Any] = {
            "phase": "Running",
            "conditions": conditions,
            "containerStatuses": [_container("bot", state, ready=ready)],
        }
        self._status(pod, status | ({"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {}))

    def ended(self, pod: dict[str, Any], message: str = "", exit_code: int = 0, reason: str = "Completed") -> None:
        """Its bot ended with a termination message."""
        state = {"terminated": {"exitCode": exit_code, "reason": reason, "message": message}}
        phase = "Failed" if exit_code else "Succeeded"
        self._status(pod, {"phase": phase, "containerStatuses": [_container("bot", state)]})

    def unscheduled(self, pod: dict[str, Any], message: str) -> None:
        """The scheduler finds no node for it."""
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        self._status(pod, {"conditions": [condition]})

    def waiting(self, pod: dict[str, Any], reason: str, message: str) -> None:
        """Its bot waits."""
        self._status(
            pod, {"containerStatuses": [_container("bot", {"waiting": {"reason": reason, "message": message}})]}
        )

    def _status(self, pod: dict[str, Any], status: dict[str, Any]) -> None:
        self.api.patch("pods", pod["metadata"]["name"], {"status": status}, "status")

    def exists(self, plural: str, name: str) -> bool:
        """Whether there is such an object."""
        return self.api.find(plural, name) is not None

    def limit(self, quota: str, hard: dict[str, str], plural: str, example: dict[str, Any]) -> None:
        """Make a quota of which nothing is used, and return once it keeps an object like this example out."""
        about = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": quota}, "spec": {"hard": hard}}
        self.api.create("resourcequotas", about)
        # Nobody counts in these tests; a quota without a status refuses everything for want of it.
        self.api.patch("resourcequotas", quota, {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}, "status")

        def known() -> bool:
            refused = self.api.refusal(plural, example)
            return f"quota: {quota}" in refused and "status unknown" not in refused

        wait_until(known, f"quota {quota} is known", PATIENCE)


def _container(name: str, state: dict[str, Any], *, ready: bool = False) -> dict[str, Any]:
    return {"name": name, "state": state, "ready": ready, "restartCount": 0, "image": "i", "imageID": "i"}
