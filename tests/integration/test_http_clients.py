"""Clients that are generated from the HTTP API's own document do everything against the real API."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meeting_buddy.http_api.documents import SESSIONS
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import LINK, Door, Tenant, door, make_tenant  # noqa: F401 -- fixture
from tests.local.api_clients import tools
from tests.local.cluster.api_only import ApiServer
from tests.local.machine.execute import output

PROBLEM = "urn:meeting-buddy:problem:"


async def document(door: Door, folder: Path) -> Path:
    """The document, as it is served."""
    file = folder / "openapi.json"
    file.write_text((await door("GET", "/openapi.json", None)).text)
    return file


def surroundings(door: Door, tenant: Tenant) -> dict[str, str]:
    """What a program is told."""
    return {
        "MEETING_BUDDY_URL": door.url,
        "ACCESS_TOKEN": tenant.token,
        "IDEMPOTENCY_KEY": secrets.token_hex(8),
        "MEETING_LINK": LINK,
        "PYTHONPATH": "",
    }


def check(said: str, tenant: Tenant) -> None:
    """Both programs say the same."""
    seen: Mapping[str, Any] = json.loads(said)
    _, session_id, *_ = seen["created"]
    assert seen == {
        "created": [201, session_id, "initializing", True],
        "location": f"{SESSIONS}/{session_id}?namespace={tenant.namespace}",
        "replayed": "true",
        "found": True,
        "listed": [session_id],
        "left": session_id,
        "deleted": [204, None],
        "missing": [404, PROBLEM + "not-found"],
        "refused": [422, PROBLEM + "invalid", "meeting_link", "meeting_link"],
    }


async def test_a_generated_python_client(door: Door, crd: ApiServer, tmp_path: Path) -> None:
    source, python, tenant = tools.HERE / "python", tools.python(), make_tenant(crd)
    options = ("--meta", "none", "--fail-on-warning", "--config", source / "config.yaml")
    where = ("--path", await document(door, tmp_path), "--output-path", tmp_path / "meeting_buddy_client")
    environment = surroundings(door, tenant)

    def run(*argv: str | Path) -> str:
        return output(python, *argv, folder=tmp_path, environment=environment)

    await asyncio.to_thread(run, "-m", "openapi_python_client", "generate", *options, *where)
    environment["PYTHONPATH"] = str(tmp_path)
    check(await asyncio.to_thread(run, source / "program.py"), tenant)


async def test_a_generated_typescript_client(door: Door, crd: ApiServer, tmp_path: Path) -> None:
    packages, tenant = tools.typescript(), make_tenant(crd)
    (tmp_path / "node_modules").symlink_to(packages)
    for name in ("package.json", "tsconfig.json", "program.ts"):
        shutil.copy2(tools.HERE / "typescript" / name, tmp_path)
    source = await document(door, tmp_path)

    def run(*argv: str | Path) -> str:
        return output(*argv, folder=tmp_path, environment=surroundings(door, tenant))

    await asyncio.to_thread(run, packages / ".bin" / "openapi-typescript", source, "--output", tmp_path / "api.d.ts")
    await asyncio.to_thread(run, packages / ".bin" / "tsc", "--noEmit")
    await asyncio.to_thread(run, packages / ".bin" / "tsc")
    check(await asyncio.to_thread(run, "node", tmp_path / "made" / "program.js"), tenant)
