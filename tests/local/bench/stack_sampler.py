"""The operator under a sampling profiler: ``python -m tests.local.bench.stack_sampler FILE [the operator's flags]``.

Samples are taken by processor time (``SIGPROF``), so that waiting costs nothing. SIGUSR1 begins; at its end the process
writes all stacks with their counts to FILE, as JSON. `shares` says whose samples they are.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType

PERIOD_SECONDS = 0.002
"""Of processor time; the kernel's own clock may make it 4 ms."""
Stack = tuple[str, ...]
"""``file:function`` of each frame up to the event loop's callback, the innermost first."""
_CALLBACK = ("/asyncio/events.py:Handle._run", "/asyncio/base_events.py:BaseEventLoop._run_once")
"""Below these each stack is alike."""
_OWNERS = {
    "/json/": "JSON",
    "/site-packages/kopf/": "kopf",
    "/meeting_buddy/": "our packages",
    "/site-packages/kubernetes/": "client library",
    "/site-packages/aiohttp_retry/": "client library",
}
_REST = {"/site-packages/aiohttp/": "HTTP (aiohttp)", "/asyncio/sslproto.py": "TLS", "/asyncio/": "event loop"}


def owner(stack: Stack) -> str:
    """Whose a sample is: the innermost frame of JSON, kopf, ours or the client library; else of what is below them."""
    for owners in (_OWNERS, _REST):
        for frame in stack:
            for part, name in owners.items():
                if part in frame:
                    return name
    return "other"


def shares(stacks: Iterable[tuple[int, Stack]]) -> dict[str, float]:
    """Each owner's share of the samples, the largest first."""
    found: Counter[str] = Counter()
    for count, stack in stacks:
        found[owner(stack)] += count
    return {name: count / found.total() for name, count in found.most_common()}


def read(path: Path) -> list[tuple[int, Stack]]:
    """What a profiled process wrote."""
    return [(count, tuple(stack)) for count, stack in json.loads(path.read_text())]


class StackSampler:
    """Counts the stacks of the main thread."""

    def __init__(self) -> None:
        self._stacks: Counter[Stack] = Counter()

    def install(self) -> None:
        """Begin at SIGUSR1."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.signal(signal.SIGUSR1, lambda *_: signal.setitimer(signal.ITIMER_PROF, PERIOD_SECONDS, PERIOD_SECONDS))

    def write(self, path: Path) -> None:
        """End, and write what was counted."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.write_text(json.dumps([(count, stack) for stack, count in self._stacks.most_common()]))

    def _sample(self, _: int, frame: FrameType | None) -> None:
        stack = []
        while frame is not None:
            stack.append(f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}")
            frame = None if stack[-1].endswith(_CALLBACK) else frame.f_back
        self._stacks[tuple(stack)] += 1


def text(found: Mapping[str, float]) -> str:
    """Shares as text."""
    return ", ".join(f"{name} {share:.0%}" for name, share in found.items())


def main() -> int:
    """The operator's exit status."""
    from meeting_buddy.app.__main__ import main as operate

    path, sampler = Path(sys.argv.pop(1)), StackSampler()
    sampler.install()
    try:
        return operate()
    finally:
        sampler.write(path)


if __name__ == "__main__":
    sys.exit(main())
