"""A namespace of the bench's API server, who serves its sessions, and the script that plays their pods."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from meeting_buddy.contract.identity import FINALIZER_OUTCOME, LABEL_SESSION_UID
from tests.local.bench import bare_client
from tests.local.bench.operator_place import Place, Served, running, session
from tests.local.bench.raw_api import JsonObject, collection
from tests.local.bench.scripted_bots import ScriptedBots
from tests.local.bench.scripted_kubelet import ScriptedKubelet, Seen

_AT_ONCE = 64
"""Sessions that are being created at the same time in a burst."""
_PATIENCE = 180.0
_KEPT = ("labels", "annotations", "ownerReferences")


@dataclass
class Run:
    """A namespace, who serves it, and the script that plays its pods."""

    place: Place
    namespace: str
    served: Served
    kubelet: ScriptedKubelet
    playing: asyncio.Task[None]
    asked: dict[str, float] = field(default_factory=dict)
    """Monotonic time at which the creation of a session began, by its uid."""

    async def create(self, count: int, rate: float | None = None) -> None:
        """Create sessions: so many a second, or as fast as the API server takes them."""
        places = asyncio.Semaphore(_AT_ONCE)
        began, first = time.monotonic(), len(self.asked)

        async def one(number: int) -> None:
            if rate is not None:
                await asyncio.sleep(began + number / rate - time.monotonic())
            async with places:
                at = time.monotonic()
                body = session(f"session-{first + number:05}")
                made = await self.place.api.send("POST", collection(self.namespace, "meetingsessions"), body)
                self.asked[made["metadata"]["uid"]] = at

        await asyncio.gather(*(one(number) for number in range(count)))

    async def until(self, holds: Callable[[Seen], bool], seconds: float = _PATIENCE) -> None:
        """Wait until this holds of all sessions; raises what went wrong with the script or the process."""
        waiting = asyncio.create_task(self.kubelet.until(holds, len(self.asked), seconds))
        await asyncio.wait((waiting, self.playing), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel() if self.playing.done() else waiting.result()
        if self.playing.done():
            self.playing.result()
        self.served.check()

    def times(self, uids: set[str]) -> list[float]:
        """Seconds from these sessions to their pods."""
        seen = self.kubelet.seen
        return [at - self.asked[uid] for uid in uids if (at := seen[uid].pod_at) is not None]


def ours(place: Place, profile: Path | None = None) -> AbstractAsyncContextManager[Run]:
    """Served by our operator; with ``profile`` under the profiler, which writes there when it ends in order."""
    return _run(place, partial(place.operator, profile=profile), lambda served: served.leads, reported=True)


def bare(place: Place, *, streams: bool) -> AbstractAsyncContextManager[Run]:
    """Served by the bare client, which reads the bots' reports or does not."""
    start = partial(place.bare, streams=streams)
    return _run(place, start, lambda served: served.says(bare_client.READY), reported=streams)


def naive(place: Place) -> AbstractAsyncContextManager[Run]:
    """Served by naive kopf."""
    return _run(place, place.naive, lambda served: served.answers("/healthz"), reported=False)


@asynccontextmanager
async def _run(
    place: Place, start: Callable[[str], Served], ready: Callable[[Served], bool], *, reported: bool
) -> AsyncIterator[Run]:
    namespace = await place.namespace()
    served = start(namespace)
    async with ScriptedBots() as bots:
        kubelet = ScriptedKubelet(place.api, namespace, bots, reported=reported)
        playing = asyncio.create_task(kubelet.run())
        try:
            await kubelet.watching.wait()
            async with running(served, partial(ready, served)):
                yield Run(place, namespace, served, kubelet, playing)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


async def copy_templates(place: Place) -> None:
    """Write the manifests that those are given who know nothing of ours: what the operator makes for one session."""
    async with ours(place) as run, asyncio.TaskGroup() as tasks:
        watched = asyncio.Event()
        statuses = tasks.create_task(_statuses(place, run.namespace, watched))
        await watched.wait()
        await run.create(1)
        await run.until(lambda seen: seen.over)
        found: JsonObject = {"statuses": await statuses}
        assert found["statuses"].keys() == {"Initializing", *bare_client.PHASES}, found["statuses"]
        for kind in ("pod", "secret"):
            (made,), _ = await place.api.listed(collection(run.namespace, f"{kind}s"), LABEL_SESSION_UID)
            metadata = {name: made["metadata"][name] for name in _KEPT if name in made["metadata"]}
            found[kind] = {**made, "kind": kind.capitalize(), "apiVersion": "v1", "metadata": metadata}
    found["pod"]["metadata"]["finalizers"] = [FINALIZER_OUTCOME]
    found["pod"].pop("status")
    found["pod"]["spec"].pop("nodeName")
    place.templates.write_text(json.dumps(found))


async def _statuses(place: Place, namespace: str, watched: asyncio.Event) -> dict[str, JsonObject]:
    """What was written into the status of the namespace's only session, phase by phase, until it has ended."""
    found: dict[str, JsonObject] = {}
    before: JsonObject = {}
    async with aclosing(place.api.list_and_watch(collection(namespace, "meetingsessions"))) as events:
        async for event in events:
            if event is None:
                watched.set()
                continue
            status = event["object"].get("status", {})
            written = {key: value for key, value in status.items() if before.get(key) != value}
            if written and "phase" in status:
                found[status["phase"]] = found.get(status["phase"], {}) | written
            before = status
            if before.get("phase") in ("Completed", "Failed"):
                break
    return found
