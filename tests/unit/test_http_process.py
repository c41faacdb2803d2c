"""The HTTP API's real process: it starts without Kubernetes, says so to its callers, and is small."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.local.clone import PLATFORM_TABLES, REPOSITORY
from tests.support.awaiting import wait_until
from tests.support.exposition import samples
from tests.support.machine_wide import free_port

HOST = "127.0.0.1"
ENVIRONMENT = {"PYTHONPATH": f"{REPOSITORY}/operator"}
INSTALLATION = {"botClasses": {"default": {"image": "example.org/bot:1"}}}
MAX_MEMORY = 120e6
"""Bytes of an idle process; the goal of the issue."""


@contextmanager
def api(tmp_path: Path, installation: str) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """The process with an API server that does not answer: process, port, health port."""
    port, health_port = free_port(), free_port()
    path = tmp_path / "installation.yaml"
    path.write_text(installation)
    flags = f"--host {HOST} --port {port} --health-port {health_port} --api-server http://{HOST}:1"
    line = (sys.executable, "-P", "-m", "meeting_buddy.http_api", *flags.split())
    files = (f"--installation={path}", f"--tables={PLATFORM_TABLES}")
    process = subprocess.Popen((*line, *files), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    try:
        yield process, port, health_port
    finally:
        process.kill()
        process.communicate()


def status(port: int, path: str, **headers: str) -> int | None:
    """Status of a GET; None when nobody listens yet."""
    connection = HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def test_it_serves_without_kubernetes_and_ends_with_status_0(tmp_path: Path) -> None:
    with api(tmp_path, json.dumps(INSTALLATION)) as (process, port, health_port):
        assert wait_until(lambda: status(health_port, "/readyz") == 200, "readiness", 60)
        sessions = "/v1/meeting-buddy/sessions?namespace=n"
        assert status(port, sessions) == 401
        assert status(port, sessions, Authorization="Bearer invented") == 503
        [(_, memory)] = samples(HOST, health_port, "process_resident_memory_bytes")
        print(f"{memory / 1e6:.0f} MB resident")
        assert memory < MAX_MEMORY
        operations = [
            labels["operation"] for labels, _ in samples(HOST, health_port, "meetingbuddy_http_requests_total")
        ]
        assert "listSessions" in operations
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.parametrize("installation", ["botClasses: {", "botClasses: {}"])
def test_an_installation_file_that_is_wrong_is_one_line_in_the_log(tmp_path: Path, installation: str) -> None:
    with api(tmp_path, installation) as (process, _, _):
        assert process.wait(60) == 1
        assert process.stderr is not None
        [line] = [json.loads(line) for line in process.stderr]
    assert line["message"] == "cannot start"


def test_it_imports_neither_kopf_nor_the_kubernetes_client() -> None:
    program = "import sys, meeting_buddy.http_api.__main__; print(*sys.modules)"
    run = subprocess.run((sys.executable, "-c", program), env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert not {"kopf", "kubernetes", "selenium"} & {name.split(".")[0] for name in run.stdout.split()}
