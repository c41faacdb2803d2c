"""A script that plays scheduler, kubelet and bot: it watches pods and writes their status; nothing runs anywhere.

Each pod is bound, runs with an address of loopback, becomes ready and ends with a termination report. Each step waits
until the session's status shows that whoever serves it has taken note of the last one, and a moment more.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto

from meeting_buddy.contract.identity import FINALIZER_OUTCOME, LABEL_SESSION_UID
from tests.local.bench import raw_api
from tests.local.bench.raw_api import JsonObject, RawApi, collection
from tests.local.bench.scripted_bots import ScriptedBot, ScriptedBots

PAUSE_SECONDS = 0.1
"""From the status of one step to the next step."""
_LOOK_SECONDS = 0.05
_RANK = {
    phase: rank
    for rank, phase in enumerate(("Initializing", "Joining", "Active", "Recording", "Leaving", "Completed", "Failed"))
}
_VERIFIED = {"segments": 2, "audioFiles": 1, "videoFiles": 1, "bytes": 9, "seconds": 40.0, "verified": True}


class Act(Enum):
    """How far pods are played."""

    NOT_AT_ALL = auto()
    """They stay Pending."""
    LIVE = auto()
    """They run and record until the script ends."""
    WHOLE_LIFE = auto()


@dataclass(slots=True)
class Seen:
    """What is seen of a session by its uid."""

    rank: int = -1
    pod_at: float | None = None
    """Monotonic time of the pod's first watch event."""
    released: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    bot: ScriptedBot | None = None

    @property
    def recorded(self) -> bool:
        """Whether its status says Recording, or something later."""
        return self.rank >= _RANK["Recording"]

    @property
    def over(self) -> bool:
        """Whether its status says how it ended."""
        return self.rank >= _RANK["Completed"]

    async def until(self, phase: str) -> None:
        """Wait for this phase or a later one."""
        while self.rank < _RANK[phase]:
            self.changed.clear()
            await self.changed.wait()


class ScriptedKubelet:
    """Plays all pods of a namespace until it is cancelled."""

    def __init__(self, api: RawApi, namespace: str, bots: ScriptedBots, *, reported: bool) -> None:
        """``reported``: whether the one who serves the sessions reads report streams, so that they can be waited for.

        Others are not shown Recording and Leaving.
        """
        self._api = api
        self._namespace = namespace
        self._bots = bots
        self._reported = reported
        self.act = Act.WHOLE_LIFE
        self._acts = asyncio.Event()
        self._acts.set()
        self.seen: dict[str, Seen] = {}
        self.watching = asyncio.Event()
        self._watched = 0
        self._news = asyncio.Event()

    def play(self, act: Act) -> None:
        """From now on; those that wait Pending go on."""
        self.act = act
        (self._acts.clear if act is Act.NOT_AT_ALL else self._acts.set)()

    async def run(self) -> None:
        """Until cancelled; raises what goes wrong."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch("meetingsessions", "", lambda pod: self._session(pod)))
            tasks.create_task(self._watch("pods", LABEL_SESSION_UID, lambda pod: self._pod(pod, tasks)))

    async def until(self, holds: Callable[[Seen], bool], count: int, seconds: float) -> None:
        """Wait until this holds of so many sessions. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds):
            while sum(map(holds, self.seen.values())) < count:
                self._news.clear()
                await self._news.wait()
                await asyncio.sleep(_LOOK_SECONDS)  # thousands of events come a second, and each look is at all

    async def _watch(self, plural: str, selector: str, take: Callable[[JsonObject], None]) -> None:
        async for event in self._api.list_and_watch(collection(self._namespace, plural), selector):
            if event is not None:
                take(event["object"])
                self._news.set()
                continue
            self._watched += 1
            if self._watched == 2:
                self.watching.set()

    def _session(self, session: JsonObject) -> None:
        seen = self.seen.setdefault(session["metadata"]["uid"], Seen())
        seen.rank = _RANK.get(session.get("status", {}).get("phase", ""), -1)
        seen.changed.set()

    def _pod(self, pod: JsonObject, tasks: asyncio.TaskGroup) -> None:
        metadata = pod["metadata"]
        uid = metadata["labels"][LABEL_SESSION_UID]
        seen = self.seen.setdefault(uid, Seen())
        seen.released = FINALIZER_OUTCOME not in metadata.get("finalizers", ())
        if seen.pod_at is None:
            seen.pod_at = time.monotonic()
            tasks.create_task(self._play(metadata["name"], uid, seen))

    async def _play(self, pod: str, uid: str, seen: Seen) -> None:
        await self._acts.wait()
        await asyncio.sleep(PAUSE_SECONDS)
        seen.bot = bot = await self._bots.start(uid)
        await self._bind(pod)
        await self._running(pod, bot, ready=False)
        await _noted(seen, "Joining")
        await self._running(pod, bot, ready=True)
        await _noted(seen, "Active")
        now = _now()
        bot.say(phase="Recording", joinedAt=now, everJoined=True)
        if self._reported:
            await _noted(seen, "Recording")
        if self.act is Act.LIVE:
            return
        bot.say(phase="Leaving", leftAt=_now())
        if self._reported:
            await _noted(seen, "Leaving")
        last = bot.say(phase="Ended", reason="MeetingEnded", recording=_VERIFIED)
        await self._ended(pod, last)
        bot.stop()

    async def _bind(self, pod: str) -> None:
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "node1"},
        }
        await self._api.send("POST", collection(self._namespace, "pods", pod, "binding"), binding)

    async def _running(self, pod: str, bot: ScriptedBot, *, ready: bool) -> None:
        ready_condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": _now()}
        state = {"running": {"startedAt": _now()}}
        await self._write_status(
            pod,
            {
                "phase": "Running",
                "podIP": bot.address,
                "podIPs": [{"ip": bot.address}],
                "startTime": _now(),
                "conditions": [ready_condition],
                "containerStatuses": [_container("bot", state, ready=ready)],
            },
        )

    async def _ended(self, pod: str, report: JsonObject) -> None:
        ended = {"exitCode": 0, "reason": "Completed", "message": json.dumps(report), "finishedAt": _now()}
        status = {"phase": "Succeeded", "containerStatuses": [_container("bot", {"terminated": ended}, ready=False)]}
        await self._write_status(pod, status)

    async def _write_status(self, pod: str, status: JsonObject) -> None:
        path = collection(self._namespace, "pods", pod, "status")
        await self._api.send("PATCH", path, {"status": status}, raw_api.MERGE_PATCH)


async def _noted(seen: Seen, phase: str) -> None:
    await seen.until(phase)
    await asyncio.sleep(PAUSE_SECONDS)


def _container(name: str, state: JsonObject, *, ready: bool) -> JsonObject:
    return {"name": name, "state": state, "ready": ready, "restartCount": 0, "image": "i", "imageID": "i"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
