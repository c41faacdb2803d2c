"""The meeting's tab over raw CDP: reads every frame in an isolated world, hears dialogs and the console, sees it crash.

The isolated world shares the page's document and none of its variables: the page can neither see nor fake what runs
there. The browser makes one in each new document and says so; frames of other sites come as sessions of their own.
A tab that the meeting's page opens becomes the meeting's tab until it is closed.
"""

import asyncio
import base64
import logging
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from meeting_buddy.contract.text import MAX_LINE, page_text
from meeting_buddy_bot.browser.cdp import Cdp, Params
from meeting_buddy_bot.browser.errors import (
    BrowserGoneError,
    CdpError,
    FrameGoneError,
    NavigationError,
    PageTimeoutError,
    ScriptError,
)
from meeting_buddy_bot.browser.frames import Context, Frames, Session

WORLD: Final = "meeting-buddy"
"""Name of the isolated world."""

_log = logging.getLogger(__name__)

_MAX_LINES: Final = 200
_MAX_FAULTS: Final = 20
_FRAME_SECONDS: Final = 1.0  # for frames, once the page itself has answered
_RAW_LINE: Final = 8 * MAX_LINE  # of a line that is megabytes long, no more is looked at
_MAX_HOST: Final = 253
_HIDDEN_SECONDS: Final = 0.1  # between two looks whether the tab is shown
_INTERRUPTED: Final = "ERR_NETWORK_CHANGED"
"""Chromium gives up all loads when an interface of its host comes or goes; nothing is wrong with the page."""
_INTERRUPTED_SECONDS: Final = 0.2  # until a load that a change of the network interrupted is begun again
_INTERRUPTED_FRAME: Final = (
    f"location.protocol === 'chrome-error:' && document.documentElement.textContent.includes('{_INTERRUPTED}')"
)
_JWT = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*){0,2}")

_PREPARATIONS: Final[tuple[tuple[str, Params], ...]] = (
    ("Page.enable", {}),
    ("Runtime.enable", {}),
    ("Inspector.enable", {}),
    ("DOM.enable", {}),
    ("Log.enable", {}),
    # An empty script in a named world: the browser makes the world for it in each new document, and in this one.
    ("Page.addScriptToEvaluateOnNewDocument", {"source": ";", "worldName": WORLD, "runImmediately": True}),
    ("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True}),
)
"""What a session, of the tab or of a frame of another site, is asked first."""


def mask_tokens(text: str) -> str:
    """``text`` without JSON web tokens: pages put them into error messages."""
    return _JWT.sub("[token]", text)


def page_line(text: str) -> str:
    """One line of what the page said, fit to be kept, tokens masked before it is cut."""
    return page_text(mask_tokens(text[:_RAW_LINE]), MAX_LINE)


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """What an expression gave in one frame."""

    frame: str
    """The frame's id."""
    top: bool
    value: Any


class Page:
    """The meeting's tab."""

    def __init__(self, cdp: Cdp, target: str, session: str) -> None:
        self._cdp = cdp
        self._tabs = {target: session}
        """The meeting's tab is the last."""
        self._opening: set[str] = set()
        self._frames = Frames()
        self._frames.attach(session, Session(target))
        self._late: set[asyncio.Task[Any]] = set()  # the loop itself holds tasks weakly
        self._faults: set[str] = set()
        self.alerts: deque[str] = deque(maxlen=_MAX_LINES)
        """Texts of dialogs since :meth:`navigate`, tokens masked."""
        self.console: deque[str] = deque(maxlen=_MAX_LINES)
        """Lines of the console since :meth:`navigate`, tokens masked."""
        self._load_interrupted = False
        """Whether, since it was last forgotten, Chromium has given up loading a script, or the like."""
        self.gone = asyncio.Event()
        """Set once the tab has crashed or was closed."""
        self.on_host: Callable[[str], None] = lambda host: None
        """Called with the host of each document that the tab loads."""
        self.on_alert: Callable[[str], None] = lambda text: None

    @classmethod
    async def attach(cls, cdp: Cdp) -> Self:
        """Attach to the browser's only tab.

        Raises:
            BrowserGoneError: there is none, or the browser is gone.
        """
        targets = (await cdp.call("Target.getTargets"))["targetInfos"]
        tabs = [each["targetId"] for each in targets if each["type"] == "page"]
        if not tabs:
            raise BrowserGoneError("the browser has no tab")
        answer = await cdp.call("Target.attachToTarget", {"targetId": tabs[0], "flatten": True})
        page = cls(cdp, tabs[0], answer["sessionId"])
        page._listen()
        await cdp.call("Target.setDiscoverTargets", {"discover": True})
        for method, params in _PREPARATIONS:
            await cdp.call(method, params, session=page.session)
        return page

    @property
    def _target(self) -> str:
        return next(reversed(self._tabs))

    @property
    def session(self) -> str:
        """The session of the meeting's tab; it is another one once the page has opened or closed a tab."""
        return self._tabs[self._target]

    async def navigate(self, url: str, seconds: float = 30.0) -> None:
        """Load ``url``; returns when its document begins to arrive, ``seconds`` later at the latest.

        Raises:
            NavigationError: Chromium could not load it.
            CdpError: Chromium did not try: the tab is just being replaced, or closed.
            PageTimeoutError, BrowserGoneError: as :meth:`evaluate`.
        """
        self.alerts.clear()
        self.console.clear()
        self.forget_interruption()
        deadline = time.monotonic() + seconds
        while True:
            answer = await self.call("Page.navigate", {"url": url}, seconds=deadline - time.monotonic())
            error = str(answer.get("errorText", "")).removeprefix("net::")
            if not error:
                if "loaderId" not in answer:  # it is there already, but for a fragment: nothing would be loaded
                    await self.call("Page.reload", {"ignoreCache": True}, seconds=deadline - time.monotonic())
                return
            if error != _INTERRUPTED or time.monotonic() + _INTERRUPTED_SECONDS > deadline:
                raise NavigationError(error)
            await asyncio.sleep(_INTERRUPTED_SECONDS)

    async def evaluate(self, expression: str, seconds: float = 3.0, *, prepare: str | None = None) -> list[FrameAnswer]:
        """Value of ``expression`` in each frame, the top one first; a frame that is being replaced is left out.

        A frame that hangs is not asked again until it has answered, or ``seconds`` are over.

        ``prepare``: a script that is run first, once in each document.

        Raises:
            PageTimeoutError: the top frame did not answer within ``seconds``; others that do not are left out.
            BrowserGoneError: tab or browser is gone.
        """
        self._refuse_when_gone()
        tab = self._target
        contexts = [each for each in self._frames.documents(tab) if each.frame == tab or not each.hangs]
        if not contexts:
            await asyncio.sleep(0)  # between two documents; who asks again at once must let the news of the next one in
        asked = [asyncio.create_task(self._evaluate_in(each, expression, seconds, prepare)) for each in contexts]
        try:
            await self._wait_for_frames(contexts, asked, tab)
            found = []
            for context, task in zip(contexts, asked, strict=True):
                top = context.frame == tab
                if not task.done():
                    self._leave(context, task)
                    continue
                answer = task.exception() or task.result()
                if isinstance(answer, BrowserGoneError) or (top and isinstance(answer, PageTimeoutError)):
                    raise answer
                if isinstance(answer, ScriptError):
                    self._note_fault(str(answer))
                if isinstance(answer, CdpError | PageTimeoutError):
                    continue  # its document has just been replaced, or it hangs
                if isinstance(answer, BaseException):
                    raise answer
                found.append(FrameAnswer(context.frame, top, answer))
            return found
        finally:
            ended = [task for task in asked if task not in self._late]
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)

    async def _wait_for_frames(self, contexts: list[Context], asked: list[asyncio.Task[Any]], tab: str) -> None:
        """Wait for the tab's own frame, then a little for others: one that does not answer must not delay a look."""
        asked_of = list(zip(contexts, asked, strict=True))
        for which, patience in (
            ([task for context, task in asked_of if context.frame == tab], None),
            ([task for context, task in asked_of if context.frame != tab], _FRAME_SECONDS),
        ):
            if which:
                await asyncio.wait(which, timeout=patience)

    async def load_interrupted(self, seconds: float = 3.0) -> bool:
        """Whether a change of the network made Chromium give up loading a part of the page, or a frame in it.

        Raises:
            PageTimeoutError, BrowserGoneError: as :meth:`evaluate`.
        """
        # Of a script, its console tells; of a frame, nothing but what stands in it.
        return self._load_interrupted or any(
            answer.value is True for answer in await self.evaluate(_INTERRUPTED_FRAME, seconds)
        )

    def forget_interruption(self) -> None:
        """What was given up until now is not missed, but for frames."""
        self._load_interrupted = False

    def _leave(self, context: Context, task: asyncio.Task[Any]) -> None:
        """Let a question be answered later than anybody waits for: that it is tells that its frame can be asked."""

        def end(task: asyncio.Task[Any]) -> None:
            self._late.discard(task)
            if not task.cancelled():
                task.exception()  # seen: nobody else asks for it

        context.late = task
        self._late.add(task)
        task.add_done_callback(end)

    async def bring_to_front(self, seconds: float = 3.0) -> bool:
        """Make the tab the one that is shown; whether it is, at the latest ``seconds`` later.

        Chromium draws nothing in a tab that it takes for hidden, and answers no mouse there; now and then it does so
        with the only tab of a window that was just opened, or from which another tab was just closed.

        Raises:
            CdpError, PageTimeoutError, BrowserGoneError: as :meth:`call`.
        """
        deadline = time.monotonic() + seconds
        while True:
            await self.call("Page.bringToFront", {}, seconds=seconds)
            answers = await self.evaluate("document.visibilityState === 'visible'", seconds)
            if answers and answers[0].top and answers[0].value is True:
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_HIDDEN_SECONDS)

    async def screenshot(self, seconds: float = 10.0) -> bytes:
        """The visible page as PNG; raises as :meth:`evaluate`, and ``CdpError`` when there is nothing to see."""
        answer = await self.call("Page.captureScreenshot", {"format": "png"}, seconds=seconds)
        return base64.b64decode(answer["data"])

    async def offset_of(self, frame: str, seconds: float = 3.0) -> tuple[float, float]:
        """Where the frame's view begins in the tab's, in CSS pixels.

        Raises:
            FrameGoneError: the frame is gone.
            PageTimeoutError, BrowserGoneError: as :meth:`evaluate`.
        """
        return await self._frames.offset_of(frame, lambda each, session: self._box_of(each, session, seconds))

    async def _box_of(self, frame: str, session: str, seconds: float) -> tuple[float, float]:
        """Left and top of what a frame's element holds."""
        owner = await self.call("DOM.getFrameOwner", {"frameId": frame}, session=session, seconds=seconds)
        node = {"backendNodeId": owner["backendNodeId"]}
        box = await self.call("DOM.getBoxModel", node, session=session, seconds=seconds)
        left, top, *_ = box["model"]["content"]
        return float(left), float(top)

    async def _evaluate_in(self, context: Context, expression: str, seconds: float, prepare: str | None) -> Any:
        if prepare is not None and context.prepared != prepare:
            expression = f"{prepare};{expression}"
        answer = await self.call(
            "Runtime.evaluate",
            {
                "expression": expression,
                "contextId": context.number,
                "returnByValue": True,
                # Ends the script itself: a selector over a monstrous document must not occupy the page for longer.
                "timeout": int(seconds * 1000),
            },
            session=context.session,
            seconds=seconds,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            context.prepared = None  # what was made may be gone with the document, under the same number
            raise ScriptError(page_line(str(details.get("exception", {}).get("description", details.get("text", "")))))
        context.prepared = prepare or context.prepared
        return answer["result"].get("value")

    async def call(self, method: str, params: Params, *, seconds: float, session: str | None = None) -> Params:
        """Result of one request to the tab, or to one of its frames' sessions.

        Raises:
            CdpError: the browser refused.
            FrameGoneError: the tab or frame of that session is gone, before or after it was asked.
            PageTimeoutError: no answer within ``seconds``.
            BrowserGoneError: tab or browser is gone.
        """
        self._refuse_when_gone()
        session = session or self.session
        known = self._frames.session(session)
        if known is None:
            raise FrameGoneError("the frame is gone")
        lost = known.lost
        call = asyncio.ensure_future(self._cdp.call(method, params, session=session, seconds=seconds))
        ends = [asyncio.ensure_future(end.wait()) for end in (self.gone, lost)]
        try:
            # A crashed tab answers nothing more, nor does a frame that was removed: do not wait for the deadline.
            await asyncio.wait({call, *ends}, return_when=asyncio.FIRST_COMPLETED)
            # One that was removed refuses what reaches it later.
            if call.done() and (call.exception() is None or not lost.is_set()):
                return call.result()
            raise BrowserGoneError("the tab has crashed") if self.gone.is_set() else FrameGoneError("the frame is gone")
        finally:
            for each in (call, *ends):
                each.cancel()

    def _refuse_when_gone(self) -> None:
        if self.gone.is_set():  # its documents are forgotten: without this, it would look like one that is loading
            raise BrowserGoneError("the tab has crashed")

    def _note_fault(self, fault: str) -> None:
        """A script that fails at every look is logged once."""
        if fault not in self._faults and len(self._faults) < _MAX_FAULTS:
            self._faults.add(fault)
            _log.warning("a script failed on the page: %s", fault)

    def _listen(self) -> None:
        def ours(handler: Callable[[Params, str], None]) -> Callable[[Params, str | None], None]:
            def handle(params: Params, session: str | None) -> None:
                if session is not None and self._frames.session(session) is not None:
                    handler(params, session)

            return handle

        on = self._cdp.on
        on("Runtime.executionContextCreated", ours(self._context_created))
        on("Runtime.executionContextDestroyed", ours(self._context_destroyed))
        on("Runtime.executionContextsCleared", ours(self._contexts_cleared))
        on("Runtime.consoleAPICalled", ours(self._console))
        on("Log.entryAdded", ours(self._log_entry))
        on("Page.javascriptDialogOpening", ours(self._dialog))
        on("Page.frameNavigated", ours(self._navigated))
        on("Inspector.targetCrashed", ours(self._crashed))
        on("Target.attachedToTarget", ours(self._attached))
        on("Target.targetCreated", lambda params, _: self._created(params))
        on("Target.detachedFromTarget", lambda params, _: self._detached(params))
        on("Target.targetDestroyed", lambda params, _: self._destroyed(params))
        on("Target.targetCrashed", lambda params, _: self._tab_crashed(params["targetId"]))

    def _context_created(self, params: Params, session: str) -> None:
        context = params["context"]
        frame = context.get("auxData", {}).get("frameId")
        if context.get("name") == WORLD and frame:
            self._frames.add(Context(session, context["id"], frame))

    def _context_destroyed(self, params: Params, session: str) -> None:
        self._frames.remove(session, params["executionContextId"])

    def _contexts_cleared(self, _: Params, session: str) -> None:
        self._frames.clear(session)

    def _console(self, params: Params, _: str) -> None:
        self.console.append(page_line(console_line(params.get("args", []))))

    def _log_entry(self, params: Params, _: str) -> None:
        self._load_interrupted |= _INTERRUPTED in str(params["entry"].get("text", ""))

    def _dialog(self, params: Params, session: str) -> None:
        text = page_line(str(params.get("message", "")))
        # An open dialog stops the page's scripts, the call's media with them. Accept: a "leave this page?" is ours.
        self._cdp.send("Page.handleJavaScriptDialog", {"accept": True}, session=session)
        self.alerts.append(text)
        self.on_alert(text)

    def _navigated(self, params: Params, _: str) -> None:
        frame = params["frame"]
        if frame["id"] == self._target:
            self.on_host(page_text(urlsplit(frame["url"]).hostname or "", _MAX_HOST))

    def _crashed(self, _: Params, session: str) -> None:
        self._frames.crash(session)
        found = self._frames.session(session)
        if found is not None and found.parent is None:
            self._tab_crashed(found.target)

    def _attached(self, params: Params, parent: str) -> None:
        session, info = params["sessionId"], params["targetInfo"]
        if info["type"] != "iframe" or self._frames.session(session) is not None:
            return  # workers have no document
        self._adopt(session, Session(info["targetId"], parent))

    def _adopt(self, session: str, found: Session) -> None:
        self._frames.attach(session, found)
        for method, arguments in _PREPARATIONS:
            self._cdp.send(method, arguments, session=session)

    def _created(self, params: Params) -> None:
        """A page that a tab of the meeting opened is the meeting's tab from now on."""
        info = params["targetInfo"]
        target = info["targetId"]
        ours = info["type"] == "page" and info.get("openerId") in self._tabs
        if ours and target not in self._tabs and target not in self._opening:
            self._opening.add(target)
            self._cdp.start(self._follow(target))

    async def _follow(self, target: str) -> None:
        try:
            attached = await self._cdp.call("Target.attachToTarget", {"targetId": target, "flatten": True})
            if target not in self._opening:
                return  # it has closed in the meantime
            session = attached["sessionId"]
            self._adopt(session, Session(target))
            self._tabs[target] = session
        finally:
            self._opening.discard(target)

    def _detached(self, params: Params) -> None:
        found = self._frames.detach(params["sessionId"])
        if found is not None and found.parent is None:
            self._close(found.target)

    def _destroyed(self, params: Params) -> None:
        self._opening.discard(params["targetId"])
        self._close(params["targetId"])

    def _tab_crashed(self, target: str) -> None:
        """The meeting's tab was not closed by its page: the one that opened it knows nothing of the meeting's end."""
        self._opening.discard(target)
        if target == self._target:
            self.gone.set()
        else:
            self._close(target)

    def _close(self, target: str) -> None:
        """A tab is gone: the one that opened it is the meeting's again."""
        if len(self._tabs) > 1:
            self._tabs.pop(target, None)
        elif target in self._tabs:
            self.gone.set()


def console_line(arguments: list[Params]) -> str:
    """One line of what was logged: texts as they are, properties of objects as ``name=value``, one level deep."""
    parts: list[str] = []
    for argument in arguments[:10]:
        preview = argument.get("preview")
        if preview is not None and argument.get("subtype") != "error":
            parts += (
                f"{each['name']}={each.get('value', each['type'])}" for each in preview.get("properties", ())[:20]
            )
        elif "value" in argument:
            parts.append(str(argument["value"]))
        else:
            parts.append(str(argument.get("description", argument.get("type", ""))))
    return " ".join(part[:_RAW_LINE] for part in parts)
