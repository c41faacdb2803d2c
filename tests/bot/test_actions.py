"""Clicks and keys as a person's: trusted, in whatever frame and however deep their target lies."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from meeting_buddy.contract.table import Step
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.errors import StepFailedError
from meeting_buddy_bot.platforms.actions import perform
from meeting_buddy_bot.platforms.probe import Probe
from tests.bot.test_probe import browser, site, table_of  # noqa: F401 -- fixtures
from tests.support.awaiting import PATIENCE
from tests.support.synthetic_pages import ELSEWHERE, SyntheticSite

pytestmark = pytest.mark.asyncio(loop_scope="module")


BUTTON = "<button id=join onclick=\"document.title = event.isTrusted ? 'joined' : 'faked'\">join</button>"


async def act(browser: Browser, do: str, value: str | None = None, **target: Any) -> None:
    """Run a step on what a locator finds, once it is there."""
    probe = Probe(table_of(target=target))
    async with asyncio.timeout(PATIENCE):
        while (snapshot := await probe.read(browser.page)) is None or not snapshot.seen:  # noqa: ASYNC110 -- a page
            await asyncio.sleep(0.05)
    step = Step.model_validate({"name": "step", "do": do, "target": "target", "value": value})
    await perform(browser.page, step, probe.script, value or "", "https://elsewhere.test")


async def everywhere(browser: Browser, expression: str, wanted: Any) -> list[Any]:
    """What an expression is in each frame, once it is `wanted` in one."""
    answers: list[Any] = []
    with contextlib.suppress(TimeoutError):  # whoever asks says what it is instead
        async with asyncio.timeout(PATIENCE):
            while wanted not in answers:
                answers = [answer.value for answer in await browser.page.evaluate(expression)]
                await asyncio.sleep(0.05)
    return answers


async def test_clicks_types_and_presses(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = """
      <input id=name value=old> <input id=other>
      <button hidden class=b>hidden</button>
      <button class=b onclick="document.title += ' clicked'">shown</button>
      <div style="height:3000px"></div>
      <button id=far onclick="document.title += ' far'" onmouseenter="document.title += ' over'">far</button>
      <script>
        const heard = [];
        document.querySelector('#name').oninput = event => heard.push(event.isTrusted, event.target.value);
        onkeydown = event => {
          if (event.key === 'Escape') document.title += ' escape';
          if (event.key === 'H' && event.ctrlKey && event.shiftKey) document.title += ' shortcut';
        };
        document.querySelector('#other').onkeydown = event => { if (event.key === 'Enter') document.title += ' enter' };
      </script>"""
    await browser.page.navigate(site.url("/"))
    await act(browser, "type", "Meeting B\u00fcddy \U0001f600", css="#name")
    await act(browser, "click", css=".b")
    await act(browser, "click", css="#far")
    await act(browser, "press", "Escape", css="#other")
    await act(browser, "press", "Control+Shift+H", css="#other")
    await act(browser, "press", "Enter", css="#other")
    typed = "Meeting B\u00fcddy \U0001f600"
    assert await everywhere(browser, "document.querySelector('#name').value", typed) == [typed]
    titles = await everywhere(browser, "document.title", "Synthetic clicked over far escape shortcut enter")
    assert titles == ["Synthetic clicked over far escape shortcut enter"]


async def test_a_key_that_does_not_exist_fails(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = BUTTON
    await browser.page.navigate(site.url("/"))
    with pytest.raises(StepFailedError, match="no key"):
        await act(browser, "press", "Hyper+X", css="#join")


async def test_acts_inside_frames_of_the_same_and_of_another_site(browser: Browser, site: SyntheticSite) -> None:
    frame = "<div style='height:77px'></div><iframe src='{}' width=500 height=400 style='border:7px solid'></iframe>"
    site.pages |= {
        "/": frame.format("/middle"),
        "/middle": frame.format("%ELSEWHERE%/other"),
        "/other": frame.format("/inner"),
        "/inner": f"<div style='height:600px'></div><input id=name>{BUTTON}",
    }
    await browser.page.navigate(site.url("/"))
    await act(browser, "type", "Ada", css="#name")
    await act(browser, "click", css="#join")
    assert "joined" in await everywhere(browser, "document.title", "joined")
    assert "Ada" in await everywhere(browser, "document.querySelector('#name')?.value ?? null", "Ada")


async def test_acts_deep_in_shadow_roots(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = """
      <div id=outer></div>
      <script>
        const outer = document.querySelector('#outer').attachShadow({mode: 'open'});
        outer.innerHTML = '<div id=inner></div>';
        outer.querySelector('#inner').attachShadow({mode: 'open'}).innerHTML =
          `<label>Name <input></label>
           <button onclick="document.title = this.getRootNode().querySelector('input').value">Go</button>`;
      </script>"""
    await browser.page.navigate(site.url("/"))
    await act(browser, "type", "Ada", role="textbox", name="Name")
    await act(browser, "click", role="button", name="Go")
    assert await everywhere(browser, "document.title", "Ada") == ["Ada"]


@pytest.mark.parametrize("verb", ["click", "type"])
async def test_what_is_covered_or_not_there_is_not_acted_upon(verb: str, browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = f"{BUTTON}<div id=cover style='position:fixed;inset:0' onclick='document.title = 1'></div>"
    await browser.page.navigate(site.url("/"))
    value = "x" if verb == "type" else None
    with pytest.raises(StepFailedError, match="div#cover lies over it"):
        await act(browser, verb, value, css="#join")
    probe, step = (
        Probe(table_of(target={"css": "#none"})),
        {"name": "s", "do": verb, "target": "target", "value": value},
    )
    with pytest.raises(StepFailedError, match="not there"):
        await perform(browser.page, Step.model_validate(step), probe.script, "x", "https://elsewhere.test")
    assert await everywhere(browser, "document.title", "Synthetic") == ["Synthetic"]


async def test_what_covers_for_a_moment_is_waited_for(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = f"""{BUTTON}<div id=cover style='position:fixed;inset:0'></div>
      <script>setTimeout(() => document.querySelector('#cover').remove(), 150)</script>"""
    await browser.page.navigate(site.url("/"))
    await act(browser, "click", css="#join")
    assert await everywhere(browser, "document.title", "joined") == ["joined"]


async def test_a_tab_that_the_page_opens_is_followed_and_left_again(browser: Browser, site: SyntheticSite) -> None:
    site.pages |= {
        "/": "<a id=open href='/second' target=_blank rel=opener>open</a>",
        "/second": "<script>document.title = 'Second'</script><button id=close onclick='window.close()'>close</button>",
    }
    await browser.page.navigate(site.url("/"))
    await act(browser, "click", css="#open")
    assert await everywhere(browser, "document.title", "Second") == ["Second"]
    await act(browser, "click", css="#close")
    assert await everywhere(browser, "document.title", "Synthetic") == ["Synthetic"]
    assert browser.alive


async def test_a_permission_is_granted_to_one_origin_and_to_nobody_else(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = """<script>
      navigator.permissions.query({name: 'microphone'}).then(found => { document.title = found.state });
    </script>"""
    await browser.grant(site.url("/").rstrip("/"), ["audioCapture"])
    await browser.page.navigate(site.url("/"))
    assert await everywhere(browser, "document.title", "granted") == ["granted"]
    await browser.page.navigate(site.url("/", ELSEWHERE))
    assert await everywhere(browser, "document.title", "denied") == ["denied"]
