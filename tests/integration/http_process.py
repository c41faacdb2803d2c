"""The HTTP API as its own process, to be killed and measured, before the tests' API server or another address."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.local.clone import PLATFORM_TABLES, REPOSITORY
from tests.local.cluster.api_only import ApiServer
from tests.support import exposition
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port

HOST = "127.0.0.1"
INSTALLATION = {"botClasses": {"default": {"image": "example.org/bot:1"}}}


@dataclass
class ApiProcess:
    """One replica; all that it writes goes to a file."""

    api_server: str
    authority: Path
    folder: Path
    flags: tuple[str, ...] = ()
    module: str = "meeting_buddy.http_api"
    port: int = field(default_factory=free_port)
    health_port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{HOST}:{self.port}"

    @property
    def output(self) -> Path:
        """What it wrote to both of its streams."""
        return self.folder / f"http-api-{self.port}.log"

    def start(self) -> None:
        """Start it, without waiting."""
        installation = self.folder / "installation.yaml"
        installation.write_text(json.dumps(INSTALLATION))
        flags = f"--host={HOST} --port={self.port} --health-port={self.health_port} --log-level=DEBUG".split()
        files = (f"--installation={installation}", f"--tables={PLATFORM_TABLES}", f"--ca-file={self.authority}")
        line = (sys.executable, "-P", "-m", self.module, f"--api-server={self.api_server}", *flags, *files, *self.flags)
        environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}/operator:{REPOSITORY}", **self.environment}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(line, cwd=self.folder, stdout=output, stderr=output, env=environment)

    def wait_ready(self) -> None:
        """Return once it takes requests."""
        wait_until(self._ready, f"it is ready; it wrote {self.output}", 60)

    def healthy(self) -> bool:
        """Whether /healthz answers."""
        return self.page("healthz") == "ok\n"

    def page(self, name: str) -> str:
        """A page of the health port."""
        with urllib.request.urlopen(f"http://{HOST}:{self.health_port}/{name}", timeout=30) as answer:
            return str(answer.read().decode())

    def counted(self, name: str, **labels: str) -> float:
        """Sum of the samples of this name that have these labels."""
        found = exposition.samples(HOST, self.health_port, name)
        return sum(value for given, value in found if labels.items() <= given.items())

    def log(self) -> list[dict[str, Any]]:
        """Lines of the log so far, without one that is being written."""
        lines = self.output.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def requests(self) -> list[dict[str, Any]]:
        """Lines about requests."""
        return [each for each in self.log() if each["logger"] == "meeting_buddy.http_api.request_log"]

    def tell(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit status."""
        assert self.process is not None
        return self.process.wait(60)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output.read_text()
        try:
            return self.page("readyz") == "ok\n"
        except (urllib.error.HTTPError, OSError):
            return False


@contextmanager
def running(*processes: ApiProcess) -> Iterator[None]:
    """Have them run, side by side, for the block."""
    try:
        for each in processes:
            each.start()
        for each in processes:
            each.wait_ready()
        yield
    finally:
        for each in processes:
            if each.process is not None:
                each.process.kill()
                each.process.wait()


def replica(server: ApiServer, folder: Path, *flags: str, **more: Any) -> ApiProcess:
    """A replica before the tests' API server."""
    return ApiProcess(server.url, server.authority, folder, flags, **more)


@asynccontextmanager
async def followed(
    client: aiohttp.ClientSession, url: str, token: str, last_event_id: str | None = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    """A stream, whose head has come."""
    headers = {"Authorization": f"Bearer {token}"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    async with client.get(url, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        yield answer
