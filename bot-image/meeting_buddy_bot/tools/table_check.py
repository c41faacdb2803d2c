"""What a table makes of each page of a pack, beside what the pack expects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.table_override import OverrideState, resolve
from meeting_buddy_bot.browser.errors import BrowserError
from meeting_buddy_bot.platforms.diagnostics import evidence_of
from meeting_buddy_bot.platforms.probe import PageSnapshot, Probe
from meeting_buddy_bot.tools.built_in import built_in_table
from meeting_buddy_bot.tools.errors import ToolError
from meeting_buddy_bot.tools.offline_browser import OfflineBrowser
from meeting_buddy_bot.tools.page_pack import PackState, PagePack, SavedPage
from meeting_buddy_bot.tools.verdict import Verdict, verdict
from meeting_buddy_bot.tools.yaml_file import read_yaml

BUILT_IN: Final = "built-in"
"""Stands for the platform's own table in place of a file."""
_TYPED: Final = "…"
"""What ``document.js`` puts in place of whatever a field held: a field that was filled counts as filled."""


@dataclass(frozen=True, slots=True)
class GivenTable:
    """The table to judge by."""

    table: PlatformTable
    stale: bool = False
    """Whether it is an override that was written for another version of the built-in table."""


@dataclass(frozen=True, slots=True)
class PageResult:
    """What the table makes of one page."""

    name: str
    expected: PackState
    seen: Verdict
    evidence: tuple[str, ...]
    """Labels of the signals and steps that hold."""
    bad_selectors: tuple[str, ...] = ()
    """Selectors that Chromium refused."""
    frames_left_out: tuple[str, ...] = ()
    """Addresses of saved frames for which the page has no place."""

    @property
    def agrees(self) -> bool:
        """Whether the table sees what the pack expects."""
        expected = self.expected
        same = self.seen[:3] == (expected.shows, expected.reason, expected.waiting)
        return same and expected.step in (None, self.seen.step)


def read_table(given: str, platform: PlatformName) -> GivenTable:
    """The table in a file, whole or as an override of the built-in one; or the built-in one itself.

    Raises:
        ToolError: it cannot be used; the message names the field.
    """
    built_in = built_in_table(platform)
    if given == BUILT_IN:
        if built_in is None:
            raise ToolError(f"{platform} has no built-in table")
        return GivenTable(built_in)
    document = read_yaml(Path(given))
    if isinstance(document, dict) and document.get("platform", platform) != platform:
        raise ToolError(f"{given}: platform: is {document['platform']}, and the pack shows {platform}")
    resolved = resolve(document, platform, built_in)
    if resolved.fault is not None or resolved.table is None:
        raise ToolError(f"{given}: {resolved.fault}")
    return GivenTable(resolved.table, stale=resolved.state is OverrideState.STALE)


async def check(table: PlatformTable, pack: PagePack) -> list[PageResult]:
    """Draw each page of the pack and look at it by the table.

    Raises:
        ToolError: Chromium cannot be used, or a page cannot be drawn.
    """
    probe = Probe(table, lambda value: value.replace("{botName}", _TYPED).replace("{passcode}", _TYPED))
    async with OfflineBrowser() as browser:
        results = []
        for name, expected in pack.pack.states.items():
            try:
                snapshot, left_out = await _look(browser, probe, pack.pages[name], expected)
            except BrowserError as error:
                raise ToolError(f"{name}.html cannot be drawn: {error}") from error
            seen = verdict(table, snapshot, joined=expected.after is not None)
            evidence = tuple(evidence_of(table, snapshot))
            results.append(PageResult(name, expected, seen, evidence, tuple(sorted(probe.bad_selectors)), left_out))
        return results


async def _look(
    browser: OfflineBrowser, probe: Probe, saved: SavedPage, expected: PackState
) -> tuple[PageSnapshot, tuple[str, ...]]:
    """One look at a page, and the frames that are not on it."""
    unplaced = await browser.show(saved)
    browser.page.alerts.extend(expected.dialogs)
    browser.page.console.extend(expected.console)
    snapshot = await probe.read(browser.page)
    if snapshot is None:
        raise BrowserError("Chromium does not answer for it")
    return snapshot, tuple(f"{frame.host}{frame.path}" for frame in unplaced)


def all_agree(results: Sequence[PageResult]) -> bool:
    """Whether the table sees every page as the pack expects."""
    return all(result.agrees for result in results)
