"""What is kept of a page tells nobody who was in the meeting, however the page writes their names."""

from __future__ import annotations

import asyncio
import html
import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.text import MAX_NAME, page_text
from meeting_buddy_bot.browser.page import FrameAnswer
from meeting_buddy_bot.platforms import diagnostics
from meeting_buddy_bot.platforms.diagnostics import collect, without_names
from meeting_buddy_bot.platforms.people import People
from meeting_buddy_bot.platforms.probe import PageSnapshot, Person
from meeting_buddy_bot.session.evidence import EvidenceKeeper
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.tools.page_pack import read_page

LONG = "Bartholomew " * 30


@pytest.mark.parametrize(
    ("shown", "document", "left"),
    [
        ("R&D Room", "<p>R&amp;D Room</p>", "<p>Person 1</p>"),
        ('Ann "A" Lee', '<i title="Ann &quot;A&quot; Lee">', '<i title="Person 1">'),
        ("Ann <3", "<p>Ann &lt;3</p>", "<p>Person 1</p>"),
        ("Grace Hopper", "<p>Grace\n  Hopper, Grace&nbsp; Hopper</p>", "<p>Person 1, Person 1</p>"),
        ("Grace Hopper", "<p>Grace\u00a0Hopper</p>", "<p>Person 1</p>"),
        ("Grace Hopper", '<a href="/people/Grace%20Hopper">', '<a href="/people/Person 1">'),
        ("Zo\u00eb", "<p>Zoe\u0308</p>", "<p>Person 1</p>"),
        ("Nguy\u1ec5n", "<p>Nguy\u1ec5n, Nguy\xea\u0303n</p>", "<p>Person 1, Person 1</p>"),
        ("\u212bngstr\xf6m", "<p>\u212bngstr\xf6m</p>", "<p>Person 1</p>"),
        ("\u095c\u0941", "<p>\u095c\u0941</p>", "<p>Person 1</p>"),
        ("Ada\u200d Lovelace \u2764\ufe0f", "<p>Ada\u200d Lovelace \u2764\ufe0f!</p>", "<p>Person 1!</p>"),
        (LONG, f"<p>{LONG}</p>", "<p>Person 1</p>"),
        (LONG, f'<i title="{LONG}">{LONG} speaks</i>', '<i title="Person 1">Person 1</i>'),
        ("B" * 300, f"<p>{'B' * 300}</p>", "<p>Person 1</p>"),
        ("\u738b\u5c0f\u660e", "<p>\u738b\u5c0f\u660e\u6b63\u5728</p>", "<p>Person 1\u6b63\u5728</p>"),
        ("Ada", "<p>Ada\u3055\u3093</p>", "<p>Person 1\u3055\u3093</p>"),
        ("\uae40\ucca0\uc218", "<p>\uae40\ucca0\uc218\ub2d8</p>", "<p>Person 1\ub2d8</p>"),
        ("Ada", "<p id=tile_Ada_2>Ada</p>", "<p id=tile_Person 1_2>Person 1</p>"),
    ],
)
def test_a_name_is_found_in_whatever_way_the_page_writes_it(shown: str, document: str, left: str) -> None:
    assert without_names([page_text(shown, MAX_NAME)])(document) == left


def test_a_name_within_another_word_is_none() -> None:
    text = "Adaptive, Nevada, Ada2, Adaë, Ada\u0308, Zoëy, \u0410\u0434\u0430\u043c"
    assert without_names(["Ada", "Zoë", "\u0410\u0434\u0430"])(text) == text


def test_names_that_hold_one_another_are_told_apart() -> None:
    text = "Ada, Ada Lovelace, Ada&nbsp;Lovelace, Ada"
    assert without_names(["Ada", "Ada Lovelace"])(text) == "Person 1, Person 2, Person 2, Person 1"


def test_without_names_there_is_nothing_to_do() -> None:
    assert without_names([])("A &amp; B") == without_names(["A"])("A &amp; B") == "A &amp; B"


@pytest.mark.parametrize(
    ("shown", "document", "left"),
    [
        ("ADA LOVELACE", "<p>Ada Lovelace, ada lovelace</p>", "<p>Person 1, Person 1</p>"),
        ("Grace", "<p>GRACE, gr&#x41;ce</p>", "<p>Person 1, Person 1</p>"),
        ("ANNA WEISS", "<p>Anna Weiß</p>", "<p>Person 1</p>"),
        ("Σωκράτης", "<p>ΣΩΚΡΆΤΗΣ</p>", "<p>Person 1</p>"),
        ("Mark", "<p>Mark, mark</p>", "<p>Person 1, mark</p>"),
        ("Grace", "<p>Graceful, DISGRACE</p>", "<p>Graceful, DISGRACE</p>"),
    ],
)
def test_a_telling_name_is_found_in_whatever_case_a_style_sheet_shows_it(shown: str, document: str, left: str) -> None:
    assert without_names([shown])(document) == left


def test_names_that_differ_in_case_alone_are_one_persons() -> None:
    replace = without_names(["Ada Lovelace", "ADA LOVELACE", "Mark", "MARK"])
    assert replace("Ada Lovelace, ADA LOVELACE, Mark, MARK") == "Person 1, Person 1, Person 3, Person 4"


SHOWN = st.characters(exclude_categories=("Cc", "Cs"))


@given(st.text(SHOWN, min_size=1, max_size=120), st.sampled_from([str, html.escape, quote, json.dumps]))
def test_no_text_is_a_name_that_cannot_be_taken_out(text: str, written: Any) -> None:
    name = page_text(text, MAX_NAME)
    document = f"<p>{written(text)}</p>"
    cleaned = without_names([name])(document)
    assert ("Person 1" in cleaned) == (len(name) > 1)


class FakePage:
    """A tab with one document and no picture."""

    alerts = ("Grace Hopper knocks",)
    console = ()

    async def screenshot(self, seconds: float) -> bytes:
        return f"picture within {seconds} s".encode()


DOCUMENT = [FrameAnswer("main", True, {"host": "meet.test", "path": "/", "html": "<p>Ada and Grace&nbsp;Hopper</p>"})]


HTML = (
    '<html><body class="page zoom"><div role="none" type="button" data-mb-look="none" title="page, Ada">'
    '<iframe src="//zoom.us/page/Ada"></iframe><a href="/Ada">zoom div none</a></div></body></html>'
)


async def saved(folder: Path, html: str, secrets: Iterable[str], names: Iterable[str]) -> str:
    """The file that is kept of a page with one document."""
    answer = FrameAnswer("main", True, {"host": "zoom.us", "path": "/page/none", "html": html})

    async def read(_: str, __: float) -> tuple[list[str], list[FrameAnswer]]:
        return [], [answer]

    page = cast(Any, FakePage())
    await collect(page, Volume(folder), "page", [], Redactor(secrets), list[str]().append, lambda: names, read=read)
    return (folder / "debug/page.html").read_text()


async def test_whatever_a_guest_is_called_the_page_keeps_its_structure(tmp_path: Path) -> None:
    names = ["page", "div", "zoom", "us", "button", "class", "Ada", "title", "html"]
    assert await saved(tmp_path, HTML, (), names) == (
        "<!-- page zoom.us /Person 1/none -->\n"
        '<html><body class="page zoom"><div role="none" type="button" data-mb-look="none" title="Person 1, Person 7">'
        '<iframe src="//zoom.us/Person 1/Person 7"></iframe><a href="/Person 7">Person 3 Person 2 none</a>'
        "</div></body></html>"
    )
    assert read_page(tmp_path / "debug/page.html").document.host == "zoom.us"


async def test_whatever_the_link_has_the_page_keeps_its_structure(tmp_path: Path) -> None:
    assert await saved(tmp_path, HTML, ["none", "html", "body", "iframe", "page", "title"], ()) == (
        "<!-- page zoom.us /[redacted]/[redacted] -->\n"
        '<html><body class="[redacted] zoom">'
        '<div role="none" type="button" data-mb-look="none" title="[redacted], Ada">'
        '<iframe src="//zoom.us/[redacted]/Ada"></iframe><a href="/Ada">zoom div [redacted]</a></div></body></html>'
    )


@pytest.mark.parametrize("rest", ['<p title="a secret-word">', "<p>a secret-word</p>"])
async def test_a_document_that_is_too_long_ends_with_a_whole_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    monkeypatch.setattr(diagnostics, "_MAX_CHARACTERS", len("<body>") + rest.index("word"))
    kept = await saved(tmp_path, f"<body>{rest}", ["secret-word"], ())
    assert kept.splitlines()[1] == "<body>" + ("<p>" if rest.startswith("<p>") else "")


def snapshot(*names: str) -> PageSnapshot:
    return PageSnapshot(frozenset(), people=tuple(Person(name, own=False, speaking=False) for name in names))


async def test_names_are_asked_for_once_the_document_was_read(tmp_path: Path) -> None:
    names = ["Ada"]

    async def read(script: str, seconds: float) -> tuple[list[str], list[FrameAnswer]]:
        names.append("Grace Hopper")
        return [], DOCUMENT

    page = cast(Any, FakePage())
    await collect(page, Volume(tmp_path), "page", [], Redactor(), list[str]().append, lambda: names, read=read)
    assert "<p>Person 1 and Person 2</p>" in (tmp_path / "debug/page.html").read_text()
    assert "Person 2 knocks" in (tmp_path / "debug/page.signals.json").read_text()


async def test_names_are_looked_for_off_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of them, which a page may invent, would keep it from answering for seconds."""
    threads: set[int] = set()

    def noted(names: Iterable[str]) -> Callable[[str], str]:
        replace = without_names(names)

        def replacing(text: str) -> str:
            threads.add(threading.get_ident())
            return replace(text)

        threads.add(threading.get_ident())
        return replacing

    monkeypatch.setattr(diagnostics, "without_names", noted)

    async def read(_: str, __: float) -> tuple[list[str], list[FrameAnswer]]:
        return [], DOCUMENT

    page = cast(Any, FakePage())
    await collect(page, Volume(tmp_path), "page", [], Redactor(), list[str]().append, lambda: ["Ada"], read=read)
    assert threads
    assert threading.get_ident() not in threads


async def test_who_comes_just_before_the_document_is_read_is_not_named_in_it(tmp_path: Path) -> None:
    class FakeMeetingPage:
        snapshot = snapshot("Ada")

        def evidence_of(self, _: PageSnapshot | None) -> list[str]:
            return []

        async def evidence_with(self, script: str, seconds: float) -> tuple[list[str], list[FrameAnswer]]:
            self.snapshot = snapshot("Ada", "Grace Hopper")
            return [], DOCUMENT

    kept: list[str] = []
    browser = cast(Any, SimpleNamespace(alive=True, page=FakePage()))
    page, people, unused = cast(Any, FakeMeetingPage()), People("Meeting Buddy"), cast(Any, None)
    keeper = EvidenceKeeper(browser, page, people, Redactor(), Volume(tmp_path), unused, kept.append)
    await keeper.keep("page")
    assert kept == ["debug/page.signals.json", "debug/page.png", "debug/page.html"]
    assert "<p>Person 1 and Person 2</p>" in (tmp_path / "debug/page.html").read_text()


async def test_what_was_kept_before_the_time_was_over_is_reported(tmp_path: Path) -> None:
    asked = asyncio.Event()

    class HangingPage(FakePage):
        async def screenshot(self, seconds: float) -> bytes:
            asked.set()
            await asyncio.Event().wait()
            return b"never"

    kept: list[str] = []
    browser = cast(Any, SimpleNamespace(alive=True, page=HangingPage()))
    page = cast(Any, SimpleNamespace(snapshot=None, evidence_of=lambda _: []))
    page.evidence_with = AsyncMock(return_value=([], DOCUMENT))
    unused = cast(Any, None)
    keeper = EvidenceKeeper(browser, page, People("Meeting Buddy"), Redactor(), Volume(tmp_path), unused, kept.append)
    keeping = asyncio.create_task(keeper.keep("page"))
    await asked.wait()
    keeping.cancel()
    assert kept == ["debug/page.signals.json"]
