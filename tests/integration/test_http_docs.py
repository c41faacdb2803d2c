"""`GET /docs`: needs no token, loads nothing, runs nothing, and is readable in a real browser, on a phone, too."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from selenium import webdriver

from meeting_buddy.http_api.documents import EXAMPLE, SessionObject, SessionRequest
from meeting_buddy.http_api.problems import KINDS
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import Door, door, make_tenant  # noqa: F401 -- fixture
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import until

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
MEASURE = """
const page = getComputedStyle(document.body), quiet = getComputedStyle(document.querySelector('.quiet'));
const link = getComputedStyle(document.querySelector('main a'));
return {
  width: document.documentElement.scrollWidth, ground: page.backgroundColor,
  inks: [page.color, quiet.color, link.color], main: document.querySelectorAll('main').length,
  loaded: performance.getEntriesByType('resource').map(each => each.name),
}
"""


class Outline(HTMLParser):
    """What a page consists of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


async def test_the_page_says_everything_and_loads_nothing(door: Door) -> None:
    answer = await door("GET", "/docs", None)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
        policy,
    )
    outline = Outline()
    outline.feed(answer.text)
    assert {tag for tag, _ in outline.tags}.isdisjoint({"script", "link", "img", "iframe", "form", "input", "svg"})
    assert not [each for _, each in outline.tags if any(name == "style" or name.startswith("on") for name in each)]
    links = [each["href"] or "" for tag, each in outline.tags if tag == "a"]
    ids = [each["id"] for _, each in outline.tags if each.get("id")]
    assert len(ids) == len(set(ids))
    assert {each for each in links if each != "openapi.json"} <= {f"#{each}" for each in ids}
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in pairwise(levels))
    text = answer.text.replace("<wbr>", "")
    for path, methods in (await door("GET", "/openapi.json", None)).body["paths"].items():
        for method in methods:
            assert f"<strong>{method.upper()}</strong> <code>{path}</code>" in text
    fields = {*SessionRequest.model_fields, *SessionObject.model_fields}
    assert not [each for each in fields if f"<code>{each}</code>" not in text]
    assert not [each for each in KINDS if each != "method-not-allowed" and f'id="problem-{each}"' not in text]
    assert EXAMPLE["meeting_link"] in text


async def test_its_commands_do_what_they_say(door: Door, crd: ApiServer, tmp_path: Path) -> None:
    tenant = make_tenant(crd)
    page = (await door("GET", "/docs", None)).text
    commands = dict(re.findall(r'<h2 id="(\w+)">(?:(?!<h2).)*?<pre><code>(curl .*?)</code>', page, re.DOTALL))
    commands["deleteSession"] = commands.pop("deleteSession")  # last
    shown = re.search("mbsess_[0-9a-f]{32}", commands["getSession"])
    assert shown
    seen, session_id = dict[str, str](), ""
    following: asyncio.Task[str] | None = None
    for name, command in commands.items():
        line = unescape(command).replace("https://HOST", door.url).replace(shown[0], session_id)
        script = f"{line} --silent --show-error --max-time 60 --write-out '\\n%{{http_code}}'"
        running = asyncio.create_task(asyncio.to_thread(_shell, script, tmp_path, tenant.token))
        if name == "followSession":  # it ends with the session, which is deleted last
            following = running
            await until(lambda: door.streams._open.total() == 1)
            continue
        said, _, seen[name] = (await running).rpartition("\n")
        if name == "createSession":
            session_id = json.loads(said)["session_id"]
    assert following is not None
    seen["followSession"] = (await following).rpartition("\n")[2]
    reading = dict.fromkeys(("listSessions", "getSession", "followSession"), "200")
    hearing = dict.fromkeys(("followTranscript", "listRecordings", "downloadRecording"), "403")  # a right of its own
    assert seen == {"createSession": "201", **reading, "leaveSession": "202", **hearing, "deleteSession": "204"}


def _shell(script: str, folder: Path, token: str) -> str:
    environment = {**os.environ, "ACCESS_TOKEN": token}
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    ).stdout


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    yield chrome
    chrome.quit()


async def test_a_browser_shows_it_on_a_phone_and_in_the_dark(door: Door, browser: webdriver.Chrome) -> None:
    grounds = set()
    for width, scheme in ((1280, "light"), (360, "light"), (360, "dark")):
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        await asyncio.to_thread(browser.get, f"{door.url}/docs")
        seen = browser.execute_script(MEASURE)
        assert seen["width"] <= width
        assert [each for each in seen["loaded"] if "favicon" not in each] == []
        assert seen["main"] == 1
        assert min(contrast(ink, seen["ground"]) for ink in seen["inks"]) >= 4.5
        grounds.add(seen["ground"])
    assert len(grounds) == 2
    said: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert [each for each in said if "favicon" not in each["message"]] == []


def contrast(one: str, other: str) -> float:
    """As WCAG counts it, of `rgb(…)`."""
    light, dark = sorted((luminance(each) for each in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return sum(share * each for share, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
