"""The operator's baseline: a bare asyncio client (aiohttp alone, JSON) that watches both kinds and makes nine writes.

It is a program of its own, ``python -m tests.local.bench.bare_client``. It decides nothing: no admission, no caches, no
Lease, no metrics, no rate limit, no Events, and what goes wrong ends it. With ``--streams`` it also reads each bot's
report stream; without, what the reports would tell is written together with Active.
With ``--list`` it only lists both kinds and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from meeting_buddy.contract.identity import FINALIZER_OUTCOME, LABEL_SESSION_UID, pod_name
from meeting_buddy.contract.report import PORT
from tests.local.bench import raw_api
from tests.local.bench.raw_api import JsonObject, RawApi, collection

READY = "ready"
"""Said on standard output once both kinds are watched."""
PHASES = ("Joining", "Active", "Recording", "Leaving", "Completed")
"""What is written after Initializing; the number of a stage is a phase's place here, from 1."""
_JOINING, _ACTIVE, _RECORDING, _LEAVING, _COMPLETED = range(1, 6)
_REPORTED = {"Recording": _RECORDING, "Leaving": _LEAVING}


@dataclass(slots=True)
class _Life:
    """How far a session's bot got."""

    stage: int = 0
    address: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def reach(self, stage: int) -> None:
        if stage > self.stage:
            self.stage = stage
            self.changed.set()

    async def until(self, stage: int) -> None:
        while self.stage < stage:
            self.changed.clear()
            await self.changed.wait()


class BareClient:
    """All sessions of a namespace."""

    def __init__(
        self, api: RawApi, namespace: str, manifests: Mapping[str, JsonObject], bots: aiohttp.ClientSession | None
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._manifests = manifests
        self._bots = bots
        self._lives: dict[str, _Life] = {}
        self._watched = 0

    async def run(self) -> None:
        """Watch and write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_sessions(tasks))
            tasks.create_task(self._watch_pods())

    def _began_to_watch(self) -> None:
        self._watched += 1
        if self._watched == 2:
            print(READY, flush=True)

    async def _watch_sessions(self, tasks: asyncio.TaskGroup) -> None:
        async for event in self._api.list_and_watch(collection(self._namespace, "meetingsessions")):
            if event is None:
                self._began_to_watch()
                continue
            metadata = event["object"]["metadata"]
            if event["type"] == "ADDED" and metadata["uid"] not in self._lives:
                life = self._lives[metadata["uid"]] = _Life()
                tasks.create_task(self._serve(metadata["name"], metadata["uid"], life))

    async def _watch_pods(self) -> None:
        async for event in self._api.list_and_watch(collection(self._namespace, "pods"), LABEL_SESSION_UID):
            if event is None:
                self._began_to_watch()
                continue
            pod = event["object"]
            life = self._lives.get(pod["metadata"]["labels"][LABEL_SESSION_UID])
            if life is not None:
                life.address = pod["status"].get("podIP", "")
                life.reach(self._stage(pod["status"]))

    def _stage(self, status: JsonObject) -> int:
        if status["phase"] in ("Succeeded", "Failed"):
            return _COMPLETED
        if any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ())):
            return _ACTIVE if self._bots is not None else _LEAVING
        return _JOINING if status["phase"] == "Running" else 0

    async def _serve(self, name: str, uid: str, life: _Life) -> None:
        """The nine writes of a session."""
        pod = pod_name(name, uid, 1)
        made = await self._create("pod", pod, uid, {"kind": "MeetingSession", "name": name, "uid": uid})
        await self._create("secret", pod, uid, {"kind": "Pod", "name": pod, "uid": made["metadata"]["uid"]})
        await self._write_phase(name, pod, "Initializing")
        await life.until(_JOINING)
        following = asyncio.create_task(self._follow(self._bots, life)) if self._bots is not None else None
        for stage, phase in enumerate(PHASES, _JOINING):
            await life.until(stage)
            await self._write_phase(name, pod, phase)
        body = {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER_OUTCOME]}}
        await self._api.send("PATCH", collection(self._namespace, "pods", pod), body, raw_api.STRATEGIC_MERGE_PATCH)
        if following is not None:
            following.cancel()
        del self._lives[uid]

    async def _create(self, kind: str, name: str, uid: str, owner: JsonObject) -> JsonObject:
        template = self._manifests[kind]
        known = template["metadata"]
        metadata = {
            **known,
            "name": name,
            "namespace": self._namespace,
            "labels": {**known["labels"], LABEL_SESSION_UID: uid},
            "ownerReferences": [{**known["ownerReferences"][0], **owner}],
        }
        return await self._api.send("POST", collection(self._namespace, f"{kind}s"), {**template, "metadata": metadata})

    async def _write_phase(self, name: str, pod: str, phase: str) -> None:
        status = {**self._manifests["statuses"][phase], "botPod": pod}
        path = collection(self._namespace, "meetingsessions", name, "status")
        await self._api.send("PATCH", path, {"status": status}, raw_api.MERGE_PATCH)

    async def _follow(self, bots: aiohttp.ClientSession, life: _Life) -> None:
        async with bots.get(f"http://{life.address}:{PORT}/v1/events") as answer:
            async for line in answer.content:
                if line.startswith(b"data: "):
                    life.reach(_REPORTED.get(json.loads(line[6:])["phase"], 0))


async def _run(found: argparse.Namespace) -> None:
    async with raw_api.opened(found.kubeconfig) as api:
        if found.list:
            for plural in ("pods", "meetingsessions"):
                await api.listed(collection(found.namespace, plural))
            return
        manifests = raw_api.templates(found.templates)
        if not found.streams:
            await BareClient(api, found.namespace, manifests, None).run()
            return
        headers = {"Accept": "text/event-stream", "Authorization": "Bearer none"}
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as bots:
            await BareClient(api, found.namespace, manifests, bots).run()


def main() -> int:
    """Exit status 0 after ``--list``; else it runs until it is killed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--templates", type=Path, required=True)
    parser.add_argument("--streams", action="store_true")
    parser.add_argument("--list", action="store_true")
    asyncio.run(_run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
