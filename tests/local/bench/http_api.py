"""What the HTTP API costs and how quick it is, beside the API server that it speaks to.

Its process runs as in a pod; memory is that of this process alone. Streams are opened a few at a time, as people come.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from meeting_buddy.http_api.documents import EXAMPLE, SESSIONS
from tests.local.bench.figures import Figure, spread
from tests.local.bench.http_place import CREATED_IN, HOST, Bot, Place, Replica, bot, replica
from tests.local.cluster import api_only

_CREATED = 200
_STREAMS = 200
_WARM = 10
"""Streams that are open before the first look, so that what is loaded once is not counted."""
_AT_ONCE = 8
_HALF = 500
_HEALTH_SECONDS = 4.0
_RESUMED = 50
_SETTLED = 1.0
"""Seconds until memory is looked at."""


def http_api() -> list[Figure]:
    """All rows."""
    with (
        tempfile.TemporaryDirectory(prefix="meeting-buddy-bench-") as folder,
        api_only.running(Path(folder) / "apiserver") as server,
    ):
        return asyncio.run(_rows(Place.prepare(server, Path(folder))))


async def _rows(place: Place) -> list[Figure]:
    session_id, uid = place.recording("bench")
    figures = []
    async with bot(place, session_id, uid) as speaker:
        speaker.say("first")
        async with replica(place) as door:
            idle = door.rss()
            figures += await _created(door)
            figures.append(
                Figure(
                    "API: resident, idle",
                    _megabytes(idle),
                    f"after {_CREATED} POSTs {_megabytes(door.rss())}",
                    "≤ 120 MB",
                )
            )
            figures.append(await _health(door))
        for with_tls in (True, False):
            figures += await _memory(place, session_id, speaker, with_tls=with_tls)
        figures.append(await _resumed(place, session_id, speaker))
    return figures


async def _created(door: Replica) -> list[Figure]:
    """POST beside creating the same object on the API server, one after the other, by the same client."""
    place, took = door.place, dict[str, list[float]](ours=[], bare=[])
    bearer = {"Authorization": f"Bearer {place.tokens[0]}"}
    collection = f"/apis/meetingbuddy.io/v1alpha1/namespaces/{CREATED_IN}/meetingsessions"
    url = f"{door.url}?namespace={CREATED_IN}"
    bare = f"{place.server.url}{collection}?fieldManager=bench&fieldValidation=Strict"
    async with aiohttp.ClientSession(headers=bearer, connector=aiohttp.TCPConnector(ssl=place.tls)) as client:
        await _post(client, url, EXAMPLE)
        async with client.get(place.server.url + collection) as answer:
            items = (await answer.json())["items"]
        made = next(each for each in items if each["metadata"]["name"].startswith("api-"))
        annotations = made["metadata"]["annotations"]
        for number in range(-_WARM, _CREATED):
            metadata = {"name": f"bare-{number + _WARM:08}", "annotations": annotations}
            same = {each: made[each] for each in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
            ours, theirs = await _post(client, url, EXAMPLE), await _post(client, bare, same)
            if number >= 0:
                took["ours"].append(ours)
                took["bare"].append(theirs)
    return [Figure("API: POST", spread(took["ours"]), f"bare create: {spread(took['bare'])}", "≤ 3 ×")]


async def _post(client: aiohttp.ClientSession, url: str, body: Any) -> float:
    began = time.monotonic()
    async with client.post(url, json=body) as answer:
        content = await answer.read()
    took = time.monotonic() - began
    if answer.status != 201:
        raise RuntimeError(f"creating: {answer.status} {content.decode()}")
    return took


async def _health(door: Replica) -> Figure:
    """``/healthz`` as the kubelet asks it, on a connection of its own each time."""
    quiet = await _healthz(door)

    async def half(_: int) -> None:
        connection = await door.connect()
        connection.writer.write(f"GET {SESSIONS} HTTP/1.1\r\nHost: bench\r\n".encode())

    await _few_at_a_time(_HALF, half)
    under = await _healthz(door)
    waiting = sum(not each.reader.at_eof() for each in door.held)
    return Figure(f"API: /healthz, {waiting} half requests", _worst(under), f"none: {_worst(quiet)}", "answers")


async def _healthz(door: Replica) -> list[float]:
    took, end = [], time.monotonic() + _HEALTH_SECONDS
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as client:
        while time.monotonic() < end:
            began = time.monotonic()
            async with client.get(f"http://{HOST}:{door.health_port}/healthz") as answer:
                await answer.read()
                answer.raise_for_status()
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.02)
    return took


async def _memory(place: Place, session_id: str, speaker: Bot, *, with_tls: bool) -> list[Figure]:
    """Bytes of an open stream, each kind in a process of its own: nothing lies in what another one left."""
    kind = "TLS" if with_tls else "plain"
    async with replica(place, with_tls=with_tls) as door:
        kept = f"idle connection {_kilobytes(await _each(door, lambda _: _kept(door)))}"
    figures = []
    for what in ("transcript", "events"):
        async with replica(place, with_tls=with_tls) as door:
            each = await _each(door, partial(door.stream, what, session_id))
            figures.append(Figure(f"API: idle {what} stream, {kind}", _kilobytes(each), kept, "≤ 100 KB"))
            if what == "transcript":
                listeners, taken = f"{_WARM + _STREAMS} listeners of one session", speaker.server.subscribers.taken
                figures.append(Figure(f"API: streams of its bot, {kind}", str(taken), listeners, "1"))
    return figures


async def _kept(door: Replica) -> None:
    """A connection that is kept after an answer."""
    connection = await door.connect()
    await connection.ask(SESSIONS, {})
    await connection.reader.readuntil(b"\r\n\r\n")


async def _each(door: Replica, opened: Callable[[int], Awaitable[object]]) -> float:
    """Resident bytes of one more of these."""
    await _few_at_a_time(_WARM, opened)
    await asyncio.sleep(_SETTLED)
    before = door.rss()
    await _few_at_a_time(_STREAMS, opened)
    await asyncio.sleep(_SETTLED)
    return (door.rss() - before) / _STREAMS


async def _resumed(place: Place, session_id: str, speaker: Bot) -> Figure:
    """From a replica's death to each listener's next line, which the bot says meanwhile, from another replica.

    Clients come again at once, all together; a browser waits for the second of ``retry:`` first.
    """
    async with replica(place) as second, replica(place) as first:
        lines = speaker.lines
        listening = [await first.stream("transcript", session_id, number) for number in range(_RESUMED)]
        fresh = await asyncio.gather(*(_timed(second, session_id, number, 0) for number in range(_RESUMED)))
        second.hang_up()
        speaker.say("meanwhile")
        for each in listening:
            await each.event()
        began = time.monotonic()
        first.process.kill()
        speaker.say("afterwards")

        async def again(number: int) -> float:
            with suppress(ConnectionError):
                await listening[number].reader.read()
            await second.stream("transcript", session_id, number, lines + 1)
            return time.monotonic() - began

        took = await asyncio.gather(*(again(number) for number in range(_RESUMED)))
    name = f"API: replica killed → next line, {_RESUMED} clients"
    return Figure(name, _worst(took), f"first line of a new stream: {_worst(fresh)}", "")


async def _timed(door: Replica, session_id: str, number: int, seen: int) -> float:
    began = time.monotonic()
    await door.stream("transcript", session_id, number, seen)
    return time.monotonic() - began


async def _few_at_a_time(count: int, opened: Callable[[int], Awaitable[object]]) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with places:
            await opened(number)

    await asyncio.gather(*(one(number) for number in range(count)))


def _worst(values: Sequence[float]) -> str:
    return f"median {statistics.median(values) * 1000:.0f} ms, worst {max(values) * 1000:.0f} ms"


def _kilobytes(size: float) -> str:
    return f"{size / 1000:.0f} KB"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"
