"""schemathesis calls each operation of the HTTP API by its description: with what fits it, and with what does not.

It runs as a program, not as pytest's plugin: so it has all its phases (examples, limits of each field, chance,
sequences of operations), and costs no other test anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from meeting_buddy.http_api.documents import SESSIONS
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import Door, door, make_tenant  # noqa: F401 -- fixture
from tests.local.cluster.api_only import ApiServer

CONFIG = Path(__file__).with_name("schemathesis.toml")
CHECKS = {
    "not_a_server_error",
    "status_code_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    "use_after_free",
}
REACHED = {
    ("POST", SESSIONS, 201),
    ("GET", SESSIONS, 200),
    ("GET", f"{SESSIONS}/{{session_id}}", 200),
    ("POST", f"{SESSIONS}/{{session_id}}/leave", 202),
    ("DELETE", f"{SESSIONS}/{{session_id}}", 204),
}
"""Calls that did what they are for; if all of them were refused, the rest would say little."""


async def test_the_api_is_what_its_description_says(door: Door, crd: ApiServer, tmp_path: Path) -> None:
    tenant = make_tenant(crd)
    document = (await door("GET", "/openapi.json", None)).body
    report = tmp_path / "report.ndjson"
    command: list[str | Path] = [
        Path(sys.executable).with_name("schemathesis"),
        *("--config-file", CONFIG, "run", f"{door.url}/openapi.json", "--no-color", "--report-ndjson-path", report),
        *(f"--exclude-operation-id={each}" for each in endless(document)),
    ]
    token = {"CALLER_TOKEN": tenant.token, "CALLER_NAMESPACE": tenant.namespace}
    run = await asyncio.to_thread(_run, command, tmp_path, token)  # it leaves files behind in its folder
    assert run.returncode == 0, (run.stdout + run.stderr)[-20_000:]
    made, reached = set(), set()
    for each in scenarios(report):
        made |= {check["name"] for checks in each.get("checks", {}).values() for check in checks}
        for name, call in each.get("interactions", {}).items():
            case = each["cases"][name]["value"]
            reached.add((case["method"], case["path"], (call.get("response") or {}).get("status_code")))
    assert made >= CHECKS
    assert reached >= REACHED


def _run(command: Sequence[str | Path], folder: Path, more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **more}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def endless(document: Any) -> Iterator[str]:
    """Operations whose answer goes on while the session does; schemathesis reads answers whole."""
    for path in document["paths"].values():
        for operation in path.values():
            if any("text/event-stream" in each.get("content", {}) for each in operation["responses"].values()):
                yield operation["operationId"]


def scenarios(report: Path) -> Iterator[Any]:
    """What was called, and what was judged of it."""
    for line in report.read_text().splitlines():
        event = json.loads(line)
        if "ScenarioFinished" in event:
            yield event["ScenarioFinished"]["recorder"]
