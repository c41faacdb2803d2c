"""Where the operator's figures are taken: a real API server without kubelets, and the processes that serve sessions.

Each process is killed with the bench, however that ends.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.integration.crd import install_crd
from tests.local.bench import bare_client, naive_kopf, raw_api, stack_sampler
from tests.local.bench.api_requests import Request, requests
from tests.local.bench.raw_api import JsonObject, RawApi
from tests.local.clone import PLATFORM_TABLES, REPOSITORY
from tests.local.cluster.api_only import ApiServer
from tests.local.installation.pod_processes import Cost, cost
from tests.support import exposition
from tests.support.machine_wide import free_port

HOST = "127.0.0.1"
LINK = "https://meet.buddy.test:8443/rooms/standup#token-like-secret"
INSTALLATION: dict[str, Any] = {
    "botClasses": {"default": {"image": "localhost:5000/meeting-buddy/bot:bench"}},
    "selfHosted": {"hosts": [{"platform": "LiveKit", "host": "meet.buddy.test", "port": 8443}]},
}
_LAUNCHER = ("setpriv", "--pdeathsig", "KILL")
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """The API server with the CRD, and files that processes are given."""

    server: ApiServer
    api: RawApi
    folder: Path

    async def namespace(self) -> str:
        """A fresh one that enforces restricted pod security."""
        name = f"bench-{secrets.token_hex(4)}"
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        await self.api.send("POST", "/api/v1/namespaces", body)
        return name

    async def requests(self) -> Mapping[Request, int]:
        """What the API server was asked until now."""
        return requests(await self.api.text("/metrics"))

    def process(self, name: str, *program: str, port: int | None = None, **environment: str) -> Served:
        """A Python program beside the bench; it lives for a block of :func:`running`."""
        paths = os.pathsep.join(str(REPOSITORY / each) for each in ("", "operator"))
        line = (*_LAUNCHER, sys.executable, *program)
        return Served(line, self.folder / f"{name}.log", port, {**os.environ, "PYTHONPATH": paths, **environment})

    def operator(self, namespace: str, identity: str = "operator-0", profile: Path | None = None) -> Served:
        """Our operator as its pod runs it; with ``profile`` under the profiler, which writes there."""
        port = free_port()
        program = ("meeting_buddy.app",) if profile is None else (stack_sampler.__name__, str(profile))
        flags = {
            "namespace": namespace,
            "own-namespace": namespace,
            "identity": identity,
            "kubeconfig": self.server.kubeconfig,
            "installation": self.folder / "installation.yaml",
            "tables": PLATFORM_TABLES,
            "host": HOST,
            "port": port,
        }
        line = (f"--{name}={value}" for name, value in flags.items())
        return self.process(f"{namespace}.{identity}", "-P", "-m", *program, *line, port=port)

    def bare(self, namespace: str, *, streams: bool = False, only_list: bool = False) -> Served:
        """The bare client."""
        flags = [*(["--streams"] if streams else []), *(["--list"] if only_list else [])]
        known = {"namespace": namespace, "kubeconfig": self.server.kubeconfig, "templates": self.templates}
        line = (f"--{name}={value}" for name, value in known.items())
        return self.process(f"{namespace}.bare", "-m", bare_client.__name__, *line, *flags)

    def naive(self, namespace: str) -> Served:
        """Naive kopf."""
        port = free_port()
        flags = (f"--namespace={namespace}", "--standalone", f"--liveness=http://{HOST}:{port}/healthz")
        line = ("-m", "kopf", "run", *flags, str(naive_kopf.__file__))
        known = {"KUBECONFIG": str(self.server.kubeconfig), naive_kopf.TEMPLATES: str(self.templates)}
        return self.process(f"{namespace}.naive", *line, port=port, **known)

    @property
    def templates(self) -> Path:
        """File of the manifests that those make who know nothing of ours."""
        return self.folder / "templates.json"


@asynccontextmanager
async def prepared(server: ApiServer, folder: Path) -> AsyncIterator[Place]:
    """The place for the block."""
    install_crd(server.kubectl)
    (folder / "installation.yaml").write_text(yaml.safe_dump(INSTALLATION))
    async with raw_api.opened(server.kubeconfig) as api:
        yield Place(server, api, folder)


def session(name: str) -> JsonObject:
    """A MeetingSession for a room of the installation's host."""
    return {
        "apiVersion": "meetingbuddy.io/v1alpha1",
        "kind": "MeetingSession",
        "metadata": {"name": name},
        "spec": {"meetingLink": LINK, "platform": "LiveKit"},
    }


@dataclass
class Served:
    """A process that serves sessions."""

    line: tuple[str, ...]
    log: Path
    port: int | None
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, or again."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.line, stdout=log, stderr=log, env=self.environment)

    @property
    def cost(self) -> Cost:
        """What it has used."""
        assert self.process is not None
        return cost(self.process.pid)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGKILL, seconds: float = 20.0) -> None:
        """End it and wait for its end."""
        if self.process is None:
            return
        self.process.send_signal(number)
        await asyncio.to_thread(self.process.wait, seconds)
        self.process = None

    def says(self, text: str) -> bool:
        """Whether this stands in its log."""
        self.check()
        return text in self.log.read_text()

    def answers(self, path: str) -> bool:
        """Whether it answers a GET with 200."""
        self.check()
        assert self.port is not None
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples whose labels contain these; 0 while it does not answer."""
        self.check()
        assert self.port is not None
        try:
            found = list(exposition.samples(HOST, self.port, name))
        except OSError:
            return 0.0
        return sum(value for known, value in found if labels.items() <= known.items())

    @property
    def leads(self) -> bool:
        """Whether this operator acts."""
        return self.metric("meetingbuddy_leader") > 0

    def check(self) -> None:
        """Raises `RuntimeError` when it has ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"{self.log.name}: ended: {self.log.read_text()[-2000:]}")


@asynccontextmanager
async def running(served: Served, ready: Callable[[], bool]) -> AsyncIterator[Served]:
    """The process for the block, once it is ready."""
    served.start()
    try:
        await until(ready)
        yield served
    finally:
        await served.end()


async def until(holds: Callable[[], bool], seconds: float = 60.0, pause: float = _LOOK_SECONDS) -> None:
    """Wait until another process is as it should be; the loop goes on meanwhile. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 -- another process cannot be awaited
            await asyncio.sleep(pause)
