"""A node on which Chromium may not make its sandbox: the session ends at once, with that cause and its remedy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.browser.chromium import sandbox_fault
from tests.bot.attending import Attending
from tests.bot.container import BrowserContainer
from tests.support.synthetic_pages import SyntheticSite
from tests.support.synthetic_table import synthetic_table

MakeContainer = Callable[..., contextlib.AbstractContextManager[BrowserContainer]]


async def test_a_node_without_user_namespaces_is_named_with_chromium_s_own_words(
    make_container: MakeContainer,
    site: SyntheticSite,
    tmp_path: Path,
) -> None:
    with make_container(user_namespaces=False) as container:
        async with Attending(container.url, tmp_path, site.url("/rooms/weekly"), synthetic_table()) as bot:
            result = await bot.ending()
        assert result.reason is Reason.CONFIG_INVALID
        assert "(No usable sandbox!)" in (result.message or "")
        assert "seccomp profile" in (result.message or "")
        assert container.chromium() == []
        assert bot.report.browser.restarts == 0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[9:9:1125/222259.197080:FATAL:zygote_host_impl_linux.cc(130)] No usable sandbox! If this is a Debian "
            "system, please install the chromium-sandbox package. ... you can try using --no-sandbox.",
            "No usable sandbox!",
        ),
        (
            "[1:1:FATAL:zygote_host_impl_linux.cc(207)] Failed to move to new namespace: PID namespaces supported, "
            "Network namespace supported, but failed: errno = Operation not permitted\n[1:1:ERROR] other",
            "Failed to move to new namespace: PID namespaces supported, Network namespace supported, but failed: "
            "errno = Operation not permitted",
        ),
        ("session not created: Chrome instance exited. Examine ChromeDriver verbose log to determine the cause.", None),
        ("[1:1:ERROR:ozone_platform_x11.cc(244)] Missing X server or $DISPLAY", None),
    ],
)
def test_tells_a_sandbox_that_cannot_be_made_from_other_faults(text: str, fault: str | None) -> None:
    assert sandbox_fault(text) == fault
