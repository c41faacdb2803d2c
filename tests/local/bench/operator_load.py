"""What the operator costs and how quick it is, beside a bare asyncio client and naive kopf, on a real API server.

Nothing runs in the pods: a script plays their lives (``scripted_kubelet``) and speaks for their bots
(``scripted_bots``). Each contender has a namespace of its own, and is measured once it is warm.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from meeting_buddy.controller.lease import DURATION
from meeting_buddy.kube.rate_limiter import WRITES_PER_SECOND
from tests.local.bench import api_requests, stack_sampler
from tests.local.bench.api_requests import Request
from tests.local.bench.figures import Figure, spread
from tests.local.bench.operator_place import Place, Served, prepared, running, until
from tests.local.bench.operator_run import Run, bare, copy_templates, naive, ours
from tests.local.bench.scripted_kubelet import Act, Seen
from tests.local.cluster import api_only
from tests.local.machine.progress import tell

RATE = 20.0
"""Sessions a second."""
_LIVES = 100
_ROUNDS = 2
_PACED = 60
"""Sessions of which apply → pod is taken: their pods stay Pending meanwhile, so that nobody else loads the machine."""
_PROFILED = 150
_WARM = 5
"""Sessions before the first look, so that what is loaded once is not counted."""
_BURST = 1000
_REPORTS = 5
"""Reports of each live bot, one a second."""
_LOOK_SECONDS = 0.05
"""Between two looks at a process that begins to lead."""


def operator_load() -> list[Figure]:
    """All rows."""
    with (
        tempfile.TemporaryDirectory(prefix="meeting-buddy-bench-") as folder,
        api_only.running(Path(folder) / "apiserver") as server,
    ):
        return asyncio.run(_rows(server, Path(folder)))


async def _rows(server: api_only.ApiServer, folder: Path) -> list[Figure]:
    task = asyncio.current_task()
    assert task is not None
    # Also an end from outside is an orderly one: processes, files and the API server go.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with prepared(server, folder) as place:
        await copy_templates(place)
        return [*await _lives(place), await _profile(place), *await _crowd(place), *await _failover(place)]


# Whole lives: CPU, writes, apply → pod


@dataclass(frozen=True, slots=True)
class _Lived:
    """What the lives of some sessions took."""

    cpu: float
    """Seconds for each."""
    pods: list[float]
    """Seconds from apply to pod, while those of the others stay Pending."""
    busy_pods: list[float]
    """The same while the others live."""
    asked: Counter[Request]

    def each(self, count: Callable[[Counter[Request]], int]) -> float:
        """Requests for each session."""
        return count(self.asked) / _LIVES


def _over(seen: Seen) -> bool:
    return seen.over and seen.released


def _over_unreleased(seen: Seen) -> bool:
    return seen.over


async def _live(run: Run, over: Callable[[Seen], bool]) -> _Lived:
    await run.create(_WARM)
    await run.until(over)
    pods = await _paced(run)
    await run.until(over)
    asked, cpu, known = await run.place.requests(), run.served.cost.cpu, set(run.asked)
    await run.create(_LIVES, RATE)
    await run.until(over)
    used = run.served.cost.cpu - cpu
    new = Counter(await run.place.requests())
    new.subtract(asked)
    return _Lived(used / _LIVES, pods, run.times(set(run.asked) - known), new)


async def _paced(run: Run) -> list[float]:
    """Seconds from apply to pod; their lives follow."""
    warm = set(run.asked)
    run.kubelet.play(Act.NOT_AT_ALL)
    await run.create(_PACED, RATE)
    await run.until(lambda seen: seen.pod_at is not None)
    run.kubelet.play(Act.WHOLE_LIFE)
    return run.times(set(run.asked) - warm)


_Contender = tuple[Callable[[], AbstractAsyncContextManager[Run]], Callable[[Seen], bool]]


async def _lives(place: Place) -> list[Figure]:
    found: dict[str, list[_Lived]] = {}
    contenders: dict[str, _Contender] = {
        "ours": (partial(ours, place), _over),
        "bare": (partial(bare, place, streams=False), _over),
        "with streams": (partial(bare, place, streams=True), _over),
        "naive kopf": (partial(naive, place), _over_unreleased),
    }
    for number in range(_ROUNDS):
        if number:
            contenders.pop("naive kopf", None)  # far from the others, and slow
        for name, (begin, over) in contenders.items():
            tell(f"{number + 1} of {_ROUNDS}: {_LIVES} sessions, {name}")
            async with begin() as run:
                found.setdefault(name, []).append(await _live(run, over))
    cpu = {name: statistics.median(each.cpu for each in rounds) for name, rounds in found.items()}
    own, bare_cpu, others = cpu.pop("ours"), cpu["bare"], cpu
    return [
        Figure(
            "operator: CPU per session",
            f"{own * 1000:.1f} ms, {own / bare_cpu:.1f} × bare",
            ", ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in others.items()),
            "≤ 2 × bare",
        ),
        Figure("operator: writes per session", *_beside(found, _writes), "≤ 9, Events ≤ 6"),
        Figure("operator: reads per session", *_beside(found, _reads), ""),
        Figure(
            f"operator: apply → pod, {RATE:g} a second, others Pending",
            *_beside(found, _spread),
            "p99 ≤ 250 ms",
        ),
        Figure(f"operator: apply → pod, {RATE:g} a second, others live", *_beside(found, _busy_spread), ""),
    ]


def _beside(found: dict[str, list[_Lived]], text: Callable[[Sequence[_Lived]], str]) -> tuple[str, str]:
    return text(found["ours"]), f"bare {text(found['with streams'])}; naive kopf {text(found['naive kopf'])}"


def _writes(rounds: Sequence[_Lived]) -> str:
    events = _median(rounds, api_requests.events)
    return f"{_median(rounds, api_requests.writes):.2f}" + (f", Events {events:.2f}" if events else "")


def _reads(rounds: Sequence[_Lived]) -> str:
    return f"{_median(rounds, api_requests.reads):.2f}"


def _median(rounds: Sequence[_Lived], count: Callable[[Counter[Request]], int]) -> float:
    return statistics.median(each.each(count) for each in rounds)


def _spread(rounds: Sequence[_Lived]) -> str:
    return spread([seconds for lived in rounds for seconds in lived.pods])


def _busy_spread(rounds: Sequence[_Lived]) -> str:
    return spread([seconds for lived in rounds for seconds in lived.busy_pods])


async def _profile(place: Place) -> Figure:
    """Whose CPU the operator's is."""
    tell(f"{_PROFILED} sessions, profiled")
    path = place.folder / "profile.json"
    async with ours(place, path) as run:
        await run.create(_WARM)
        await run.until(_over)
        run.served.send(signal.SIGUSR1)
        await run.create(_PROFILED, RATE)
        await run.until(_over)
        await run.served.end(signal.SIGTERM)
    found = stack_sampler.shares(stack_sampler.read(path))
    kopf = found.pop("kopf", 0.0)
    return Figure("operator: kopf's share of its CPU", f"{kopf:.0%}", stack_sampler.text(found), "")


# Many at once: burst, memory, restart


@dataclass(frozen=True, slots=True)
class _Crowd:
    """What so many sessions took that appeared at once and live on."""

    pods: float
    """Seconds until all pods were there."""
    before: int
    """Bytes resident before."""
    growth: int
    """Bytes more once all are recorded."""
    reported: float
    """CPU seconds for each report."""


async def _crowd(place: Place) -> list[Figure]:
    tell(f"burst of {_BURST}, bare")
    async with bare(place, streams=True) as run:
        theirs = await _burst(run)
    async with ours(place) as run:
        tell(f"burst of {_BURST}, ours")
        own = await _burst(run)
        tell(f"restart with {2 * _BURST}")
        await _appear(run)
        restart = await _restart(run)
        restarted = run.served.cost.rss - own.before
    return [
        Figure(
            f"operator: burst of {_BURST} → all pods",
            f"{own.pods:.1f} s",
            f"bare {theirs.pods:.1f} s",
            f"limit {WRITES_PER_SECOND:g} writes/s",
        ),
        Figure(
            f"operator: RSS per {_BURST} live sessions",
            _megabytes(own.growth),
            f"bare {_megabytes(theirs.growth)}; after a restart with twice as many {_megabytes(restarted)}",
            "≤ 30 MB",
        ),
        Figure(
            "operator: CPU per report of a bot",
            f"{own.reported * 1e3:.2f} ms",
            f"bare {theirs.reported * 1e3:.2f} ms",
            "",
        ),
        restart,
    ]


async def _burst(run: Run) -> _Crowd:
    await run.create(_WARM)
    await run.until(_over)
    before = run.served.cost.rss
    pods = await _appear(run)
    growth = run.served.cost.rss - before
    return _Crowd(pods, before, growth, await _reported(run))


async def _appear(run: Run) -> float:
    """So many sessions at once, whose bots live on; seconds until all pods were there."""
    run.kubelet.play(Act.NOT_AT_ALL)
    began = time.monotonic()
    await run.create(_BURST)
    await run.until(lambda seen: seen.pod_at is not None)
    pods = max(seen.pod_at or 0.0 for seen in run.kubelet.seen.values()) - began
    run.kubelet.play(Act.LIVE)
    await run.until(lambda seen: seen.recorded)
    return pods


async def _reported(run: Run) -> float:
    """CPU seconds for one report: each live bot sends one a second."""
    bots = [seen.bot for seen in run.kubelet.seen.values() if seen.bot is not None and not seen.over]
    before = run.served.cost.cpu
    for number in range(_REPORTS):
        began = time.monotonic()
        for each in bots:
            each.say(recording={**each.document["recording"], "seconds": float(number + 1)})
        await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))
    return (run.served.cost.cpu - before) / (len(bots) * _REPORTS)


async def _restart(run: Run) -> Figure:
    """From the process' start until each session was reconciled, after it was killed."""
    served, count = run.served, len(run.asked)
    await served.end()
    listed = await _listed(run)
    began = time.monotonic()
    served.start()
    await until(lambda: served.metric("meetingbuddy_reconcile_total", result="success") >= count)
    await until(lambda: served.leads and served.metric("meetingbuddy_workqueue_depth") == 0)
    reconciled = time.monotonic() - began
    live = sum(seen.bot is not None and not seen.over for seen in run.kubelet.seen.values())
    await until(lambda: served.metric("meetingbuddy_streams_connected") >= live)
    streams = time.monotonic() - began
    return Figure(
        f"operator: restart with {count} sessions",
        f"{reconciled:.1f} s, {live} streams {streams:.1f} s",
        f"bare client lists both kinds: {listed:.1f} s",
        "≤ 10 s",
    )


async def _listed(run: Run) -> float:
    """Seconds from the bare client's start until it has listed both kinds and ended."""
    client = run.place.bare(run.namespace, only_list=True)
    began = time.monotonic()
    client.start()
    try:
        assert client.process is not None
        if await asyncio.to_thread(client.process.wait, 60):
            raise RuntimeError(client.log.read_text()[-2000:])
        return time.monotonic() - began
    finally:
        await client.end()


# Failover


async def _failover(place: Place) -> list[Figure]:
    tell("failover")
    namespace = await place.namespace()
    first, second = (place.operator(namespace, f"operator-{number}") for number in range(2))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(first, lambda: first.leads))
        await stack.enter_async_context(running(second, lambda: second.answers("/readyz")))
        killed = await _taken_over(first, second, signal.SIGKILL)
        first.start()
        await until(lambda: first.answers("/readyz"))
        ended = await _taken_over(second, first, signal.SIGTERM)
    return [
        Figure("operator: kill -9 → another leads", f"{killed:.1f} s", f"the Lease lasts {DURATION:g} s", "≤ 20 s"),
        Figure("operator: SIGTERM → another leads", f"{ended:.1f} s", "", "≤ 3 s"),
    ]


async def _taken_over(leader: Served, other: Served, number: signal.Signals) -> float:
    began = time.monotonic()
    leader.send(number)
    await until(lambda: other.leads, pause=_LOOK_SECONDS)
    took = time.monotonic() - began
    await leader.end()
    return took


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"
