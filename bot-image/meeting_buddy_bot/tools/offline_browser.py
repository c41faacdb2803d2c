"""Chromium without a network: draws saved pages under their own addresses, its sandbox on, no script of theirs run.

A Chromium of its own, without display and chromedriver: nothing is recorded and nothing is clicked. Every request of
the whole browser is answered from the saved page or refused before it leaves, and no host's name is ever resolved.
As root, which Chromium refuses, it runs as user 65534 (``nobody``).
"""

import asyncio
import base64
import contextlib
import os
import re
import shutil
import tempfile
from collections import deque
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from meeting_buddy_bot.browser.cdp import Cdp, Params
from meeting_buddy_bot.browser.chromium import BINARY, sandbox_fault
from meeting_buddy_bot.browser.errors import BrowserError, PageTimeoutError
from meeting_buddy_bot.browser.page import Page
from meeting_buddy_bot.tools.errors import ToolError
from meeting_buddy_bot.tools.page_pack import SavedDocument, SavedPage

_NOBODY: Final = 65534
_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 5.0
_DRAW_SECONDS: Final = 20.0
"""For a page with its frames, each of at most a few megabytes."""
_POLL_SECONDS: Final = 0.05
_LAST_LINES: Final = 20
_RESTORE: Final = resources.files(__package__).joinpath("restore.js").read_text()
_DEBUGGER: Final = re.compile(r"DevTools listening on ws://([\d.]+:\d+)/")
_SWITCHES: Final = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--window-size=1280,720",
    "--lang=en-US",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no request may leave, whoever makes it
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-breakpad",
    "--disable-dev-shm-usage",  # containers have little of it unless told otherwise
    "--no-first-run",
)
_POLICY: Final = "default-src 'none'; frame-src http: https:; style-src 'unsafe-inline'"
_LOADED: Final = "document.readyState === 'complete' && document.doctype?.nextSibling?.data === '{mark}'"


class OfflineBrowser:
    """One Chromium for one pack; an async context manager."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._errors: asyncio.Task[None] | None = None
        self._cdp: Cdp | None = None
        self._page: Page | None = None
        self._shown = 0
        self._answers = PageAnswers(SavedPage(SavedDocument("", "", "")), "")

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            ToolError: Chromium is missing, does not start, or may not make its sandbox.
        """
        try:
            async with asyncio.timeout(_START_SECONDS):
                address = await self._start()
                self._cdp = await Cdp.connect(address)
                self._page = await Page.attach(self._cdp)
                self._cdp.on("Fetch.requestPaused", lambda request, _: self._answer(request))
                await self._cdp.call("Fetch.enable")  # of the browser: the requests of all its tabs and frames
        except TimeoutError:
            await self._stop()
            raise ToolError(f"Chromium did not start in {_START_SECONDS:g} s") from None
        except BrowserError as error:
            await self._stop()
            raise ToolError(f"Chromium did not start: {error}") from error
        except BaseException:  # also when it is given up meanwhile
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    @property
    def page(self) -> Page:
        """The tab."""
        if self._page is None:
            raise ToolError("Chromium does not run")
        return self._page

    async def show(self, saved: SavedPage) -> tuple[SavedDocument, ...]:
        """Draw a page with its frames as they were; returns the frames that no ``<iframe>`` of it has a place for.

        Raises:
            BrowserError: Chromium died or did not draw it within :data:`_DRAW_SECONDS`.
        """
        self._shown += 1
        answers = self._answers = PageAnswers(saved, f"page {self._shown}")
        await self.page.navigate(address_of(saved.document), _DRAW_SECONDS)
        try:
            async with asyncio.timeout(_DRAW_SECONDS):
                while not await self._drawn(answers):  # noqa: ASYNC110 -- no event tells of all frames
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise PageTimeoutError(f"the page or one of its frames was not drawn in {_DRAW_SECONDS:g} s") from None
        await self.page.evaluate(_RESTORE, _DRAW_SECONDS)
        return answers.unclaimed

    async def _drawn(self, answers: "PageAnswers") -> bool:
        """Whether the page has loaded, its frames included."""
        loaded = await self.page.evaluate(_LOADED.format(mark=answers.mark), _DRAW_SECONDS)
        complete = bool(loaded) and loaded[0].top and loaded[0].value is True
        return complete and sum(each.value is True for each in loaded) == answers.served

    def _answer(self, request: Params) -> None:
        if self._cdp is not None:
            method, parameters = self._answers.to(request)
            self._cdp.send(method, {"requestId": request["requestId"], **parameters})

    async def _start(self) -> str:
        """Start Chromium; host and port of its debugger."""
        folder = self._folder = Path(tempfile.mkdtemp(prefix="meeting-buddy-pages-"))
        root = os.geteuid() == 0
        if root:
            os.chown(folder, _NOBODY, _NOBODY)
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *(BINARY, *_SWITCHES, f"--user-data-dir={folder / 'profile'}", "about:blank"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(folder)},
                user=_NOBODY if root else None,
                group=_NOBODY if root else None,
                extra_groups=[] if root else None,
            )
        except OSError as error:
            raise ToolError(f"{BINARY} cannot be run ({error.strerror}): install Debian's package chromium") from error
        return await self._debugger(process)

    async def _debugger(self, process: asyncio.subprocess.Process) -> str:
        lines: deque[str] = deque(maxlen=_LAST_LINES)
        if process.stderr is None:
            raise ToolError("Chromium's errors cannot be read")
        async for raw in process.stderr:
            lines.append(line := raw.decode(errors="replace"))
            if found := _DEBUGGER.search(line):
                self._errors = asyncio.create_task(_drain(process.stderr))
                return found[1]
        await process.wait()
        if (fault := sandbox_fault("".join(lines))) is not None:
            raise ToolError(
                f"Chromium cannot make its sandbox here ({fault}): run the container with the seccomp profile "
                "bot-image/seccomp/chromium.json, or allow user namespaces on this machine"
            )
        raise ToolError(f"Chromium ended at its start: {lines[-1].strip() if lines else 'without a word'}")

    async def _stop(self) -> None:
        process, cdp, folder = self._process, self._cdp, self._folder
        self._process, self._cdp, self._folder, self._page = None, None, None, None
        if cdp is not None:
            with contextlib.suppress(BrowserError):
                await cdp.call("Browser.close", seconds=_END_SECONDS)
            await cdp.close()
        if process is not None:
            await _end(process)
        if self._errors is not None:
            self._errors.cancel()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


class PageAnswers:
    """Answers the requests of a browser that shows one saved page: the page, its frames, and nothing else. Pure."""

    def __init__(self, saved: SavedPage, mark: str) -> None:
        """``mark``: a comment above each document, by which it is told from those of the page before."""
        self.mark = mark
        self._page: SavedDocument | None = saved.document
        self._frames = list(saved.frames)
        self._redirected: list[SavedDocument] = []
        self.served = 0
        """How many documents were handed out."""

    @property
    def unclaimed(self) -> tuple[SavedDocument, ...]:
        """Frames that were not asked for."""
        return tuple(self._frames)

    def to(self, request: Params) -> tuple[str, Params]:
        """Method and parameters that answer a ``Fetch.requestPaused``."""
        if request["resourceType"] != "Document":
            return "Fetch.failRequest", {"errorReason": "BlockedByClient"}
        page, self._page = self._page, None
        if page is not None:  # the tab's own document is asked for before any other can be
            return self._serve(page)
        address = urlsplit(request["request"]["url"])
        known = (self._redirected, self._frames)
        for frames in known:
            found = next((each for each in frames if _lies_at(each, address.netloc, address.path)), None)
            if found is not None:
                frames.remove(found)
                return self._serve(found)
        moved = next((each for each in self._frames if each.host == address.netloc), None)
        if moved is None:  # an empty document: Chromium's own error page would have words of its own
            return self._serve(SavedDocument("", "", ""))
        # The frame had gone from the address in its element to another one of the same host: it does so again.
        self._frames.remove(moved)
        self._redirected.append(moved)
        location = {"name": "Location", "value": address_of(moved)}
        return "Fetch.fulfillRequest", {"responseCode": 302, "responseHeaders": [location]}

    def _serve(self, document: SavedDocument) -> tuple[str, Params]:
        self.served += 1
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _POLICY}
        body = f"<!DOCTYPE html><!--{self.mark}-->{document.html}".encode(errors="replace")
        return "Fetch.fulfillRequest", {
            "responseCode": 200,
            "responseHeaders": [{"name": name, "value": value} for name, value in headers.items()],
            "body": base64.b64encode(body).decode(),
        }


def address_of(document: SavedDocument) -> str:
    """Where a document is shown; without the query that it had."""
    return f"https://{document.host}{document.path}"


def _lies_at(document: SavedDocument, host: str, path: str) -> bool:
    return document.host == host and unquote(document.path) == unquote(path)


async def _drain(stream: asyncio.StreamReader) -> None:
    """Read on, or Chromium would stand still once the pipe is full."""
    while await stream.read(65536):
        pass


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
