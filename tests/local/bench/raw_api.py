"""The API server by aiohttp alone: plain JSON, one connection pool; no models, no retries, no rate limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.kubeconfig import credentials

JsonObject = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
_PAGE = 500
_CONNECTIONS = 100
_AGAIN_SECONDS = 0.5
_WATCH_BUFFER = 2**20
"""Bytes; a watch's line is one object."""


@dataclass(frozen=True, slots=True)
class RawApi:
    """One caller of the API server."""

    server: str
    http: aiohttp.ClientSession

    async def send(
        self, method: str, path: str, body: JsonObject | None = None, content_type: str = "application/json"
    ) -> JsonObject:
        """One call. Raises `RuntimeError` for an answer but 2xx."""
        data = None if body is None else json.dumps(body).encode()
        async with self.http.request(
            method, self.server + path, data=data, headers={"Content-Type": content_type}
        ) as answer:
            content = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {content[:500].decode(errors='replace')}")
        found: JsonObject = json.loads(content)
        return found

    async def text(self, path: str) -> str:
        """A document that is no JSON."""
        async with self.http.get(self.server + path) as answer:
            answer.raise_for_status()
            return await answer.text()

    async def listed(self, path: str, selector: str = "") -> tuple[list[JsonObject], str]:
        """All objects, page by page, and the version from which to watch."""
        found: list[JsonObject] = []
        more = ""
        while True:
            query = f"?limit={_PAGE}&labelSelector={selector}" + (f"&continue={more}" if more else "")
            page = await self.send("GET", path + query)
            found += page["items"]
            more = page["metadata"].get("continue") or ""
            if not more:
                return found, page["metadata"]["resourceVersion"]

    async def watch(self, path: str, version: str, selector: str = "") -> AsyncIterator[JsonObject]:
        """Events since this version, until the API server ends the watch."""
        query = {"watch": "true", "resourceVersion": version, "labelSelector": selector}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.http.get(
            self.server + path, params=query, timeout=timeout, read_bufsize=_WATCH_BUFFER
        ) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                yield json.loads(line)

    async def list_and_watch(self, path: str, selector: str = "") -> AsyncGenerator[JsonObject | None, None]:
        """All objects as ADDED, then ``None`` when the watch is about to begin, then its events, without end.

        The API server ends a watch that does not take its events fast enough; it is gone on with behind the last one.
        """
        objects, version = await self.listed(path, selector)
        for each in objects:
            yield {"type": "ADDED", "object": each}
        yield None
        while True:
            try:
                async for event in self.watch(path, version, selector):
                    if event["type"] == "ERROR":
                        raise RuntimeError(f"watch of {path}: {event['object']}")
                    version = event["object"]["metadata"]["resourceVersion"]
                    yield event
            except aiohttp.ClientResponseError as error:
                if error.status != 429:  # the API server's own watch is not ready yet
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)


@asynccontextmanager
async def opened(kubeconfig: Path) -> AsyncIterator[RawApi]:
    """A caller with the client certificate of this kubeconfig (JSON, with everything inside), for the block."""
    server, context = credentials(kubeconfig)
    connector = aiohttp.TCPConnector(ssl=context, limit=_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield RawApi(server, http)


def collection(namespace: str, plural: str, name: str = "", subresource: str = "") -> str:
    """Path of pods, secrets or meetingsessions of a namespace, or of one of them."""
    group = "/apis/meetingbuddy.io/v1alpha1" if plural == "meetingsessions" else "/api/v1"
    return "/".join([f"{group}/namespaces/{namespace}/{plural}", *(each for each in (name, subresource) if each)])


def templates(path: Path) -> Mapping[str, JsonObject]:
    """Manifests by kind, as `tests.local.bench.operator_run` has copied them from what the operator made."""
    found: Mapping[str, JsonObject] = json.loads(path.read_text())
    return found
