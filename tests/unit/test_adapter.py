"""An adapter beside a table: which file is one, what it has to say of itself, and that no fault of it costs a look."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from meeting_buddy.contract.table import Match
from meeting_buddy_bot.browser.errors import BrowserGoneError, CdpError, PageTimeoutError
from meeting_buddy_bot.platforms import adapter
from meeting_buddy_bot.platforms.adapter import AdapterRunner, ReadablePage, adapter_of
from meeting_buddy_bot.platforms.probe import MAX_PEOPLE, PageSnapshot, Person
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from tests.local.clone import PLATFORM_TABLES
from tests.unit.test_table import SHIPPED

JUSTIFIED = '''"""What Jitsi's table cannot say.

Why the table cannot say it: the number is the sum of two texts.
Source: seen 2026-11-26 on meet.example.org
"""
'''
CODE = "class Adapter:\n    pass\n"
PAGE = cast(ReadablePage, None)  # no adapter of these tests looks at it
SEEN = PageSnapshot(
    frozenset({Match(element="own tile")}),
    frozenset({"join"}),
    (Person("Ada", own=False, speaking=True),),
    2,
    ((1, 0.5),),
    ((2, 7.0),),
    200,
    0.01,
)


def faults_of(folder: Path) -> list[str]:
    """What is wrong with the adapters of a folder of tables."""
    found = []
    for code in sorted(folder.glob("*.py")):
        tree = ast.parse(code.read_text())
        is_adapter = any(isinstance(part, ast.ClassDef) and part.name == "Adapter" for part in tree.body)
        has_table = code.with_suffix(".yaml").is_file()
        if is_adapter and not has_table and code.name != Path(adapter.__file__).name:
            found.append(f"{code.name}: has no table beside it")
        if not has_table:
            continue
        if not is_adapter:
            found.append(f"{code.name}: has no class Adapter")
        top = ast.get_docstring(tree) or ""
        if not re.search(r"^Why the table cannot say it: \w+", top, re.MULTILINE):
            found.append(f"{code.name}: does not say why the table cannot say it")
        if not re.search(r"^Source: .*\b\d{4}-\d{2}-\d{2}\b", top, re.MULTILINE):
            found.append(f"{code.name}: gives no source with its day")
    return found


def test_every_adapter_of_the_image_is_justified_at_its_top() -> None:
    assert faults_of(PLATFORM_TABLES) == []


@pytest.mark.parametrize(
    ("files", "faults"),
    [
        ({"jitsi.yaml": "", "jitsi.py": JUSTIFIED + CODE, "probe.py": ""}, 0),
        ({"jitsi.py": JUSTIFIED + CODE}, 1),
        ({"jitsi.yaml": "", "jitsi.py": JUSTIFIED}, 1),
        ({"jitsi.yaml": "", "jitsi.py": CODE}, 2),
        ({"jitsi.yaml": "", "jitsi.py": JUSTIFIED.replace("2026-11-26", "lately") + CODE}, 1),
        ({"jitsi.yaml": "", "jitsi.py": JUSTIFIED.replace("the number is the sum of two texts.", "") + CODE}, 1),
    ],
)
def test_an_adapter_without_table_or_justification_is_found(tmp_path: Path, files: dict[str, str], faults: int) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert len(faults_of(tmp_path)) == faults


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this process looks for tables and adapters."""
    monkeypatch.setattr(adapter, "FOLDER", tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(f"{adapter.__package__}."):
            del sys.modules[name]


def test_an_adapter_is_loaded_beside_the_table_of_its_platform_alone(folder: Path) -> None:
    (folder / "jitsi.py").write_text(JUSTIFIED + CODE)
    assert adapter_of("Jitsi", folder) is None, "no table beside it"
    (folder / "jitsi.yaml").write_text("tableVersion: 1\nplatform: Jitsi\n")
    assert type(adapter_of("Jitsi", folder)).__name__ == "Adapter"
    assert adapter_of("JITSI", folder) is None, "an administrator's kind"
    assert adapter_of("LiveKit", folder) is None


@pytest.mark.parametrize("platform", ["Probe", "People", "Adapter", "Actions", "Announcer", "Jitsi"])
def test_a_kind_of_an_administrators_never_imports_code_of_the_image(platform: str) -> None:
    assert adapter_of(platform, PLATFORM_TABLES) is None


@pytest.mark.parametrize("table", SHIPPED, ids=lambda path: path.stem)
def test_an_adapter_beside_any_shipped_table_is_found(folder: Path, table: Path) -> None:
    (folder / table.name).write_text(table.read_text())
    (folder / f"{table.stem}.py").write_text(JUSTIFIED + CODE)
    [platform] = re.findall(r"^platform: (\w+)$", table.read_text(), re.MULTILINE)
    assert adapter_of(platform, folder) is not None


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EventLog]:
    """The session's events."""
    opened = EventLog(tmp_path / "events.jsonl", SessionClock())
    yield opened
    await opened.close()


async def told(log: EventLog, tmp_path: Path) -> list[dict[str, Any]]:
    await log.flush()
    file = tmp_path / "events.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


Amend = Callable[[PageSnapshot], Awaitable[Any]]


def running(log: EventLog, amend: Amend, monkeypatch: pytest.MonkeyPatch) -> AdapterRunner:
    """A runner whose adapter does this."""

    class _Adapter:
        async def amend(self, page: ReadablePage, snapshot: PageSnapshot) -> PageSnapshot:
            return cast(PageSnapshot, await amend(snapshot))

    monkeypatch.setattr(adapter, "adapter_of", lambda *_: _Adapter())
    return AdapterRunner("Jitsi", log)


async def test_a_platform_without_one_is_seen_as_its_table_sees_it(folder: Path, log: EventLog) -> None:
    assert await AdapterRunner("LiveKit", log).amend(PAGE, SEEN) is SEEN
    assert await told(log, folder) == []


async def test_what_it_sees_counts_and_what_it_may_not_say_does_not(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = Match(element="last item")
    crowd = tuple(Person(f"\u202e{'x' * 300}", own=False, speaking=False) for _ in range(MAX_PEOPLE + 5))

    async def amend(snapshot: PageSnapshot) -> PageSnapshot:
        return PageSnapshot(snapshot.seen | {sign}, frozenset({"leave"}), crowd, 9, ((5, 5.0),), (), 500, -1.0)

    seen = await running(log, amend, monkeypatch).amend(PAGE, SEEN)
    assert seen.seen == SEEN.seen | {sign}
    assert seen.count == 9
    assert len(seen.people) == MAX_PEOPLE
    assert seen.people[0].name == "x" * 100
    assert seen.seconds >= SEEN.seconds
    # Acts, media and the document's status stay as the table's look has them.
    assert replace(seen, seen=SEEN.seen, people=SEEN.people, count=SEEN.count, seconds=SEEN.seconds) == SEEN


async def _raise(fault: BaseException) -> PageSnapshot:
    raise fault


async def _give(answer: object) -> object:
    return answer


async def _cancel_something_of_its_own() -> PageSnapshot:
    part = asyncio.ensure_future(asyncio.Event().wait())
    part.cancel()
    await part
    return SEEN


FAULTS: dict[str, tuple[Amend, str]] = {
    "raises": (lambda _: _raise(KeyError("tile")), "KeyError"),
    "asks a frame that goes": (lambda _: _raise(CdpError("the frame is gone")), "CdpError"),
    "asks a page that is silent": (lambda _: _raise(PageTimeoutError("no answer")), "PageTimeoutError"),
    "cancels": (lambda _: _cancel_something_of_its_own(), "CancelledError"),
    "gives nothing": (lambda _: _give(None), "TypeError"),
    "gives no set": (lambda seen: _give(replace(seen, seen=cast(Any, 5))), "TypeError"),
    "gives no people": (lambda seen: _give(replace(seen, people=cast(Any, ["Ada"]))), "AttributeError"),
    "gives a word for a number": (lambda seen: _give(replace(seen, count=cast(Any, "many"))), "ValueError"),
    "counts below zero": (lambda seen: _give(replace(seen, count=-1)), "ValueError"),
    "counts beyond reason": (lambda seen: _give(replace(seen, count=10**30)), "ValueError"),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_a_fault_leaves_the_tables_look_and_is_told_once(
    case: str, log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    amend, kind = FAULTS[case]
    runner = running(log, amend, monkeypatch)
    for _ in range(3):
        assert await runner.amend(PAGE, SEEN) is SEEN
    assert [(line["event"], line["kind"]) for line in await told(log, tmp_path)] == [("adapter_failed", kind)]


async def test_faults_of_another_kind_are_told_too_and_it_counts_again_once_it_works(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = [_raise(KeyError("a")), _raise(ValueError("b")), _raise(KeyError("c")), _give(replace(SEEN, count=7))]
    runner = running(log, lambda _: course.pop(0), monkeypatch)
    assert [(await runner.amend(PAGE, SEEN)).count for _ in range(4)] == [2, 2, 2, 7]
    assert [line["kind"] for line in await told(log, tmp_path)] == ["KeyError", "ValueError"]


async def test_one_that_hangs_is_ended_and_rests(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SECONDS", 0.05)
    monkeypatch.setattr(adapter, "REST_SECONDS", 3600.0)
    asked, ended = [], asyncio.Event()

    async def hang(snapshot: PageSnapshot) -> PageSnapshot:
        asked.append(snapshot)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return snapshot

    runner = running(log, hang, monkeypatch)
    async with asyncio.timeout(60):
        assert await runner.amend(PAGE, SEEN) is SEEN
        await ended.wait()
        assert await runner.amend(PAGE, SEEN) is SEEN
    assert len(asked) == 1, "it rests"
    assert [line["kind"] for line in await told(log, tmp_path)] == ["TimeoutError"]
    monkeypatch.setattr(adapter, "REST_SECONDS", 0.0)
    runner = running(log, hang, monkeypatch)
    for _ in range(2):
        await runner.amend(PAGE, SEEN)
    assert len(asked) == 3, "it is asked again after its rest"


async def test_a_browser_that_is_gone_is_no_fault_of_the_adapters(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = running(log, lambda _: _raise(BrowserGoneError("the tab has crashed")), monkeypatch)
    with pytest.raises(BrowserGoneError):
        await runner.amend(PAGE, SEEN)
    assert await told(log, tmp_path) == []


async def test_a_bot_that_is_asked_to_leave_does_not_wait_for_it(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SECONDS", 3600.0)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(snapshot: PageSnapshot) -> PageSnapshot:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return snapshot

    look = asyncio.create_task(running(log, hang, monkeypatch).amend(PAGE, SEEN))
    async with asyncio.timeout(60):
        await begun.wait()
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look
        await ended.wait()


@pytest.mark.parametrize(
    ("code", "kind"),
    [("class Adapter", "SyntaxError"), ("import no_such_module", "ModuleNotFoundError"), ("", "AttributeError")],
)
async def test_a_file_that_cannot_be_loaded_leaves_the_table(folder: Path, log: EventLog, code: str, kind: str) -> None:
    (folder / "jitsi.yaml").write_text("tableVersion: 1\nplatform: Jitsi\n")
    (folder / "jitsi.py").write_text(code)
    assert await AdapterRunner("Jitsi", log).amend(PAGE, SEEN) is SEEN
    assert [(line["event"], line["kind"]) for line in await told(log, folder)] == [("adapter_failed", kind)]
